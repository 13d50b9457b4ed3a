"""Plans: whose readings each rule judges."""

from rules.model import SubjectKind
from rules.plan import NOBODY, Inapplicable, make_plan
from rules.transition import Subject
from tests.rules.community import (
    AWAY_HOME,
    AWAY_WEARABLE,
    BUILDING,
    CAR_PARK,
    CARE_HOME,
    DOOR,
    MOTION,
    MOTION_TOO,
    OTHER_DOOR,
    WEARABLE,
    inventory,
    rule,
    seconds,
)


def subjects(body: str) -> list[int]:
    return [s.id for s in make_plan([rule("x.y", body)], inventory()).rules[0].subjects]


def test_a_rule_looks_at_devices_that_declare_its_metric_and_pass_its_filters() -> None:
    when = "\nwhen: value >= 90"
    assert subjects("watch: {metric: spo2}" + when) == [WEARABLE, AWAY_WEARABLE]
    assert subjects("watch: {metric: spo2, household: {care: true}}" + when) == [WEARABLE]
    assert subjects("watch: {metric: spo2, household: {care: false}}" + when) == [AWAY_WEARABLE]
    assert subjects("watch: {metric: spo2, kind: door}" + when) == []
    assert subjects("watch: {metric: spo2, device: d2}" + when) == [AWAY_WEARABLE]
    assert subjects("watch: {metric: spo2, area: b1}" + when) == [WEARABLE, AWAY_WEARABLE]
    assert subjects("watch: {metric: spo2, area: [b2, c]}" + when) == [WEARABLE, AWAY_WEARABLE]
    assert subjects("watch: {metric: spo2, area: b2}" + when) == []


def test_a_device_without_an_attribute_that_the_rule_uses_is_left_out_and_named() -> None:
    body = "watch: {metric: parking_free}\nwhen: value < device.capacity and value < device.extra"
    own = make_plan([rule("x.y", body)], inventory()).rules[0]
    assert own.subjects == ()
    assert own.inapplicable == (Inapplicable(CAR_PARK, "extra"),)


def test_devices_of_a_home_or_a_building_share_a_slot() -> None:
    home = rule("x.home", "watch: {metric: motion}\nabsent: 1h\nper: household")
    building = rule(
        "x.building",
        "watch: {metric: access_denied}\nwhen: count > 1\nwithin: 1m\nper: building",
    )
    plan = make_plan([home, building], inventory())
    at_home, at_building = plan.rules
    assert at_home.subjects == (Subject(SubjectKind.HOUSEHOLD, CARE_HOME),)
    assert at_home.devices_of(0).tolist() == [MOTION, MOTION_TOO]
    assert at_building.subjects == (Subject(SubjectKind.AREA, BUILDING),)
    assert at_building.devices_of(0).tolist() == [DOOR, OTHER_DOOR]
    assert at_building.slot[[DOOR, OTHER_DOOR, MOTION]].tolist() == [0, 0, NOBODY]


def test_who_is_away_is_masked_and_in_a_rule_over_areas_left_out() -> None:
    body = "watch: {{metric: pulse}}\nwhen: count > 1\nwithin: 1m\nper: {}\nunless: household.away"
    rules = [rule(f"x.{per}", body.format(per)) for per in ("device", "household", "building")]
    by_device, by_home, by_building = make_plan(rules, inventory(away=[AWAY_HOME])).rules
    assert by_device.away.tolist() == [False, True]
    assert by_home.away.tolist() == [False, True]
    assert by_building.away.tolist() == [False]
    assert by_building.slot[[WEARABLE, AWAY_WEARABLE]].tolist() == [0, NOBODY]


def test_silence_limits_are_by_device_id_and_zero_where_there_is_no_device() -> None:
    plan = make_plan([], inventory(without=[DOOR]))
    assert plan.size == CAR_PARK + 1
    assert plan.silent_after[[0, DOOR, CAR_PARK]].tolist() == [0, 0, seconds(30)]


def test_nothing_at_all_makes_an_empty_plan() -> None:
    plan = make_plan([], inventory(without=range(1, 8)))
    assert (plan.size, plan.rules) == (0, ())
