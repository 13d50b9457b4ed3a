"""What the demo says when it ends, in both languages, from one table."""

import re
from pathlib import Path
from typing import Literal

import pytest
from rich.cells import cell_len

from devices.instant import MINUTE
from devices.simulator.incidents import Incident
from devices.simulator.plots import PLOTS
from gridwarden.demo_books import RuleLine
from gridwarden.demo_judge import Verdict
from gridwarden.demo_summary import Summary
from gridwarden.demo_text import WORDS, word
from gridwarden.latency import Percentiles
from gridwarden.settlement import Ledger, Settlement

CHINESE = re.compile("[\u4e00-\u9fff]")
SOS = Incident("sos_pressed", "sos-1", "hx", 7, 4, 2, "sos", 0, MINUTE)


def summary(accepted: int = 120) -> Summary:
    return Summary(
        accepted,
        Settlement(Ledger(120, 100, 15, 5), {"bad_payload": 5}, {"care.sos": 2}),
        [RuleLine("care.sos", "SOS", "Wang Fang", 1), RuleLine("care.sos", "SOS", "", 1)],
        Percentiles(2, 0.0512, 0.1234),
        {Verdict.FOUND: [SOS], Verdict.MISSED: [SOS]},
        Path("state"),
    )


def test_every_figure_is_told() -> None:
    assert summary().lines("en") == [
        "messages   accepted by broker 120",
        "ledger     received 120 = stored 100 + duplicate 15 + rejected 5  (balanced)",
        "               5 × bad_payload",
        "alerts     2",
        "               1 × SOS (care.sos) → Wang Fang",
        "               1 × SOS (care.sos) → nobody",
        "latency    publish to inbox p50 51 ms  p99 123 ms  (n=2)",
        "incidents  2: found 1, standing already 0, missed 1, running 0",
        "           missed: SOS button pressed · sos-1",
        "state      state (kept; --fresh starts anew)",
    ]


def test_the_chinese_one_is_chinese_and_stands_in_columns() -> None:
    chinese, english = (summary().lines(language) for language in ("zh", "en"))
    assert len(chinese) == len(english)
    heads = [line for line in chinese if not line.startswith(" ")]
    assert all(CHINESE.match(head) for head in heads)
    assert {cell_len(re.split(r"(?<=\S)  +", head)[0]) for head in heads} <= {4, 8}
    assert "漏报: 按下紧急按钮 · sos-1" in chinese[-2]


@pytest.mark.parametrize(
    ("accepted", "said"),
    [
        (120, "balanced"),
        (121, "NOT BALANCED"),
        (117, "balanced; 3 of them delivered again, or left by an earlier run"),
    ],
)
def test_all_that_was_accepted_must_be_in_the_ledger(accepted: int, said: str) -> None:
    assert f"({said})" in summary(accepted).lines("en")[1]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_table_has_each_word_in_its_language(language: Literal["zh", "en"]) -> None:
    for key in WORDS:
        assert bool(CHINESE.search(word(key, language))) is (language == "zh"), key
    assert all(word(f"what.{plot.what}", language) for plot in PLOTS)
