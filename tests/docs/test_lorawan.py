"""docs/lorawan.md: the table names every model and its metrics, and the example is a real one."""

import random
import re

import pytest

from devices.errors import FormatError
from devices.formats.lorawan import decode
from devices.lorawan import MODELS, read_frame
from devices.metric import BY_NAME
from devices.topic import Direction, UpTopic
from tests.docs.pages import ROOT, examples, read

_ROWS = re.findall(r"^\| `([\w/-]+)` \| [^|]+ \| (.+) \|$", read("docs/lorawan.md"), re.MULTILINE)
TABLE = {model: set(re.findall(r"`(\w+)`", metrics)) for model, metrics in _ROWS}
EXAMPLES = {e.words[0]: e.text for e in examples("docs/lorawan.md") if e.words}


def test_the_table_names_every_model_once_and_metrics_that_exist() -> None:
    assert sorted(model for model, _ in _ROWS) == sorted(MODELS)
    assert set.union(*TABLE.values()) <= BY_NAME.keys()


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_model_gives_no_metric_that_its_row_does_not_name(model: str) -> None:
    """Random frames of each fPort, their first bytes small, so that many are understood."""
    draw = random.Random(model)  # noqa: S311
    given: set[str] = set()
    for port in _ports(model):
        for _ in range(3_000):
            head = bytes(draw.choice((0, 1, 2, 5, 7, 10, 12, 0x82, 8)) for _ in range(3))
            frame = (head + draw.randbytes(20))[: draw.randint(1, 23)]
            given |= _metrics(model, port, frame)
    assert given <= TABLE[model]


def test_the_example_is_the_module_and_its_test() -> None:
    assert EXAMPLES["aquascope"] == (ROOT / "devices/lorawan/aquascope.py").read_text("utf-8")
    test = (ROOT / "tests/lorawan/test_aquascope.py").read_text("utf-8")
    assert EXAMPLES["test_aquascope"] == test


def test_the_message_shown_is_understood() -> None:
    (heard,) = decode(UpTopic("c", None, Direction.UP, "lorawan"), EXAMPLES["lorawan"].encode())
    assert heard.values["door_open"] == 1.0
    assert heard.device == "a84041000181c061"


def _ports(model: str) -> list[int]:
    try:
        MODELS[model](0, b"")
    except FormatError as error:
        _, sends, ports = error.detail.partition("sends on ")
        return [int(port) for port in ports.split(", ")] if sends else [1]
    return [1]


def _metrics(model: str, port: int, frame: bytes) -> set[str]:
    try:
        return set(read_frame(model, port, frame).values)
    except FormatError:
        return set()
