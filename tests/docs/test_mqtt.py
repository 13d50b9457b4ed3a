"""docs/mqtt.md: every example goes through the decoder, and the tables are the vocabulary's."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from alerts.downlink import body as downlink_body
from alerts.downlink import worth_until
from alerts.message import MQTT, Telling, body
from alerts.model import AlertState
from alerts.place import Place
from alerts.texts import texts_of
from devices import formats
from devices.calling import CALLS
from devices.errors import FormatError, RejectReason
from devices.formats.fields import MAX_ATTRIBUTES
from devices.formats.native import KEYS
from devices.instant import DAY, HOUR, to_micros
from devices.metric import BY_NAME
from devices.reading import Observation
from devices.topic import down, parse
from gridwarden.settings import Settings
from rules.loader import load
from rules.model import SubjectKind
from rules.transition import Cause, Change, Subject, Transition
from tests.docs.pages import Example, examples, read

PAGE = read("docs/mqtt.md")
EXAMPLES = examples("docs/mqtt.md")
ALERTS = [json.loads(example.text) for example in EXAMPLES if example.words[0] == "alert"]
ACCEPTED = [example for example in EXAMPLES if example.words[0] == "accepted"]
DOWNLINKS = [example for example in EXAMPLES if example.words[0] == "downlink"]
REFUSED = [example for example in EXAMPLES if example.words[0] == "refused"]

WORDS = {"zh": "", "en": ""}
PLACE = Place((1,), None, 1, "lvyuan", WORDS, WORDS, WORDS)


def test_there_are_examples_of_both() -> None:
    assert (len(ACCEPTED), len(REFUSED)) == (5, 3)


@pytest.mark.parametrize("example", ACCEPTED, ids=lambda e: e.words[1])
def test_accepted_examples_are_understood(example: Example) -> None:
    observations = _decode(example)
    assert observations
    for observation in observations:
        assert observation.device == example.words[1].split("/")[3]
        for name, value in observation.values.items():
            assert BY_NAME[name].low <= value <= BY_NAME[name].high


@pytest.mark.parametrize("example", REFUSED, ids=lambda e: e.text[:20])
def test_refused_examples_are_refused(example: Example) -> None:
    with pytest.raises(FormatError) as refusal:
        _decode(example)
    assert refusal.value.reason is RejectReason.BAD_PAYLOAD


def test_the_alert_has_the_keys_that_members_are_sent() -> None:
    rules = load({str(i): e.text for i, e in enumerate(examples("docs/rules.md")) if not e.words})
    rule = next(rule for rule in rules if rule.code == "access.denied_repeatedly")
    subject = Subject(SubjectKind.DEVICE, 1)
    severity = rule.severity
    change = Transition(rule, subject, Change.FIRED, Cause.COUNT_REACHED, 0, 0, (1,), 5.0, severity)
    telling, message = Telling.of(change, severity, texts_of(change, PLACE, [], UTC)), UUID(int=0)
    sent = body(telling, PLACE, alert=17, message=message, channel=MQTT, occasion="opened")
    sent["state"] = AlertState.OPEN.value
    assert [list(alert) for alert in ALERTS] == [list(sent)]
    same = ("alert", "occasion", "rule", "severity", "category", "title", "link", "value")
    assert {key: ALERTS[0][key] for key in same} == {key: sent[key] for key in same}


def test_the_answer_is_what_a_device_is_sent() -> None:
    [example] = DOWNLINKS
    community, device = example.words[1].split("/")[2:4]
    assert example.words[1] == down(community, device)
    told = json.loads(example.text)
    at = to_micros(datetime.fromisoformat(told["at"]))
    sent = downlink_body(UUID(told["message_id"]), told["alert"], AlertState(told["state"]), at)
    assert list(told.items()) == list(sent.items())
    assert [key for key in sent if f"| `{key}` |" not in PAGE] == []


def test_every_state_that_a_device_is_told_is_explained() -> None:
    section = PAGE.split("## Answers")[1].split("## ")[0]
    states = {state.value for state in AlertState} - {"open"}
    assert [state for state in states if f"`{state}`: " not in section] == []
    assert [metric for metric in CALLS if f"`{metric}`" not in section] == []
    assert worth_until(0, HOUR) == DAY
    assert worth_until(0, 9 * HOUR) == 3 * 9 * HOUR


def test_every_key_and_reason_is_explained() -> None:
    assert [key for key in KEYS if f"| `{key}` |" not in PAGE] == []
    assert [reason for reason in RejectReason if f"`{reason.value}`" not in PAGE] == []
    assert f"{MAX_ATTRIBUTES} bytes" in PAGE


def test_every_metric_stands_in_the_table() -> None:
    rows = [
        f"| `{m.name}` | {m.unit} | {m.low:g} to {m.high:g} | {m.en} {m.zh} |"
        for m in BY_NAME.values()
    ]
    assert PAGE.split("|---|---|---|---|\n")[1].splitlines() == rows


def test_the_limits_of_time_are_the_settings_defaults() -> None:
    assert Settings.model_fields["max_ahead_s"].default == 600
    assert "ten minutes ahead" in PAGE
    assert Settings.model_fields["earliest_time"].default.year == 2000
    assert "before 2000" in PAGE


def _decode(example: Example) -> list[Observation]:
    return formats.decode(parse(example.words[1]), example.text.strip().encode())
