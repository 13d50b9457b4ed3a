"""docs/lorawan.md: the table names every model and its metrics, and the example is a real one."""

import re

import pytest

from devices.formats.lorawan import decode
from devices.lorawan import MODELS, read_frame
from devices.metric import BY_NAME
from devices.topic import Direction, UpTopic
from tests.docs.pages import ROOT, examples, read
from tests.lorawan.test_models import CASES
from tests.lorawan.test_published import PUBLISHED

_ROWS = re.findall(r"^\| `([\w/-]+)` \| [^|]+ \| (.+) \|$", read("docs/lorawan.md"), re.MULTILINE)
TABLE = {model: set(re.findall(r"`(\w+)`", metrics)) for model, metrics in _ROWS}
EXAMPLES = {e.words[0]: e.text for e in examples("docs/lorawan.md") if e.words}


def test_the_table_names_every_model_once_and_metrics_that_exist() -> None:
    assert sorted(model for model, _ in _ROWS) == sorted(MODELS)
    assert set.union(*TABLE.values()) <= BY_NAME.keys()


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_row_names_what_the_models_tests_read(model: str) -> None:
    """Of the published frames and of the cases of tests/lorawan, so each metric is tested too."""
    seen = {metric for one in PUBLISHED.get(model, []) for metric in one or ()}
    for name, port, frame, _ in CASES:
        if name == model:
            seen |= read_frame(model, port, bytes.fromhex(frame)).values.keys()
    assert seen == TABLE[model]


def test_the_example_is_the_module_and_its_test() -> None:
    assert EXAMPLES["aquascope"] == (ROOT / "devices/lorawan/aquascope.py").read_text("utf-8")
    test = (ROOT / "tests/lorawan/test_aquascope.py").read_text("utf-8")
    assert EXAMPLES["test_aquascope"] == test


def test_the_message_shown_is_understood() -> None:
    (heard,) = decode(UpTopic("c", None, Direction.UP, "lorawan"), EXAMPLES["lorawan"].encode())
    assert heard.values["door_open"] == 1.0
    assert heard.device == "a84041000181c061"
