"""Why an alert fired: the state just before, of its subject alone."""

from devices.instant import HOUR, SECOND
from devices.inventory import Inventory
from devices.reading import Reading
from rules.account import (
    Account,
    Alert,
    account_for,
    heard_devices,
    holds,
    stretch_before,
    subject_plan,
)
from rules.model import Rule, SubjectKind
from rules.transition import Cause, Subject
from tests.rules.community import (
    AWAY_WEARABLE,
    BUILDING,
    CARE_HOME,
    COMMUNITY,
    DOOR,
    GATEWAY,
    MOTION,
    MOTION_TOO,
    OTHER_DOOR,
    SILENT_AFTER_S,
    WEARABLE,
    batch,
    behind_gateway,
    inventory,
    reading,
    rule,
    seconds,
)

LOW = rule("t.low", "watch: {metric: spo2}\n when: spo2 <= 91\n for: 20s")
OFFLINE = rule("t.off", "watch: {metric: heartbeat}\n when: heartbeat < 1\n for: 20s")
BUILDING_DENIED = rule(
    "w.denied", "watch: {metric: access_denied}\n when: count >= 3\n within: 15s\n per: building"
)
STILL = rule(
    "a.still", "watch: {metric: motion}\n when: motion >= 1\n absent: 60s\n per: household"
)


def account(
    own: Rule,
    subject: Subject,
    span: tuple[float, float],
    *rows: Reading,
    site: Inventory | None = None,
) -> Account:
    """Of the alert with this span, replayed from second 0 to a while after it."""
    plan = subject_plan(own, site or inventory(), subject)
    assert plan is not None
    since, fired = map(seconds, span)
    return account_for(plan, batch(*rows), Alert(subject, since, fired), 0, fired + seconds(60))


def test_a_timer_is_pending_until_it_is_due() -> None:
    subject = Subject(SubjectKind.DEVICE, WEARABLE)
    rows = [reading(t, WEARABLE, "spo2", v) for t, v in ((1, 97), (5, 90), (14, 88))]
    found = account(LOW, subject, (5, 25), *rows)
    assert found.fired is not None
    assert (found.fired.at, found.fired.cause) == (seconds(25), Cause.CONDITION_HELD)
    assert found.before.moments == {
        "judged": seconds(14),
        "pending": seconds(5),
        "due": seconds(25),
    }
    assert found.before.numbers == {"value": 88}
    assert found.before.silent == {WEARABLE: seconds(14 + SILENT_AFTER_S)}


def test_a_timer_of_a_device_whose_clock_is_behind_is_pending_too() -> None:
    """Its readings come a minute late, and so does the alert."""
    subject = Subject(SubjectKind.DEVICE, WEARABLE)
    rows = [
        reading(t, WEARABLE, "spo2", v, arrival=t + 60) for t, v in ((1, 97), (5, 90), (14, 88))
    ]
    found = account(LOW, subject, (5, 25), *rows)
    assert found.fired is not None
    assert found.before.moments["pending"] == seconds(5)


def test_beside_the_subject_its_gateway_has_a_place_of_its_own() -> None:
    """The rule looks at gateways as well, whose ids come after the door's, or before another's."""
    site = behind_gateway()
    subject = Subject(SubjectKind.DEVICE, DOOR)
    plan = subject_plan(OFFLINE, site, subject)
    assert plan is not None
    assert heard_devices(plan) == [DOOR, GATEWAY]
    rows = [
        reading(1, GATEWAY, "heartbeat", 1),
        reading(1, DOOR, "heartbeat", 1),
        reading(5, DOOR, "heartbeat", 0),
    ]
    found = account(OFFLINE, subject, (5, 25), *rows, site=site)
    assert found.fired is not None
    assert found.before.moments["pending"] == seconds(5)
    assert list(found.before.silent) == [DOOR]


def test_a_count_has_all_but_the_last() -> None:
    subject = Subject(SubjectKind.AREA, BUILDING)
    rows = [reading(t, d, "access_denied", 1) for t, d in ((3, DOOR), (6, OTHER_DOOR), (9, DOOR))]
    found = account(BUILDING_DENIED, subject, (3, 9), *rows)
    assert found.fired is not None
    assert found.before.counted == [seconds(3), seconds(6)]
    assert list(found.before.silent) == [DOOR, OTHER_DOOR]


def test_an_absence_has_its_last_and_its_deadline() -> None:
    subject = Subject(SubjectKind.HOUSEHOLD, CARE_HOME)
    rows = [reading(2, MOTION, "motion", 1)]
    rows += [reading(t, MOTION_TOO, "motion", 0) for t in (20, 45, 60)]
    found = account(STILL, subject, (2, 62), *rows)
    assert found.fired is not None
    assert found.before.moments == {"last": seconds(2), "due": seconds(62)}


def test_what_does_not_fire_again_is_said_with_the_state_at_the_end() -> None:
    subject = Subject(SubjectKind.DEVICE, WEARABLE)
    found = account(LOW, subject, (5, 25), reading(5, WEARABLE, "spo2", 97))
    assert found.fired is None
    assert found.before.moments["pending"] is None


def test_a_subject_that_the_rule_does_not_judge_has_no_plan() -> None:
    of_other_kind = Subject(SubjectKind.AREA, WEARABLE)
    assert subject_plan(LOW, inventory(), of_other_kind) is None
    assert subject_plan(LOW, inventory(), Subject(SubjectKind.DEVICE, DOOR)) is None
    assert subject_plan(LOW, inventory(), Subject(SubjectKind.DEVICE, 999)) is None
    assert subject_plan(BUILDING_DENIED, inventory(), Subject(SubjectKind.AREA, COMMUNITY)) is None


def test_the_stretch_holds_the_rules_own_span_and_the_silence_of_its_devices() -> None:
    low = subject_plan(LOW, inventory(), Subject(SubjectKind.DEVICE, AWAY_WEARABLE))
    denied = subject_plan(BUILDING_DENIED, inventory(), Subject(SubjectKind.AREA, BUILDING))
    assert low is not None
    assert denied is not None
    assert stretch_before(low) == seconds(20 + SILENT_AFTER_S) < HOUR
    assert stretch_before(denied) == seconds(30 + SILENT_AFTER_S)
    rows = batch(*(reading(t, AWAY_WEARABLE, "spo2", v) for t, v in ((1, 91), (2, 92))))
    told = holds(LOW, low, rows)
    assert told is not None
    assert told.tolist() == [True, False]
    assert holds(BUILDING_DENIED, denied, rows) is None
    assert rows.time[0] == SECOND
