"""A small place with many devices, and rules over numbers derived from them. Whole seconds."""

from collections.abc import Collection
from dataclasses import replace

from devices.inventory import Area, Household, Inventory
from tests.rules.community import NAME, device, rule

BAND, MONITOR, OTHER_BAND, AWAY_MONITOR, GATEWAY = 1, 2, 3, 4, 9
BAYS = (10, 11, 12, 13)
OTHER_BAYS = (14, 15)
SMOKES = (20, 21, 22, 23)
DOORS = (30, 31)
HOME, OTHER_HOME, AWAY_HOME = 1, 2, 3
COMMUNITY, BUILDING, OTHER_BUILDING = 1, 2, 3

WORN = ("pulse", "spo2", "battery")
MEASURED = ("pulse", "spo2", "breathing_rate", "systolic", "body_temperature", "oxygen_flow")


def town(behind: Collection[int] = (BAYS[0], BAYS[1], SMOKES[0], BAND)) -> Inventory:
    """Two buildings; three homes, of one the people are away; some devices behind a gateway."""
    monitor = (*MEASURED, "consciousness")
    access = ("access_denied", "access_granted", "heartbeat")
    smoke = ("smoke", "battery", "temperature")
    devices = (
        device(BAND, "wearable", WORN, household=HOME),
        device(MONITOR, "vital_signs", monitor, household=HOME),
        device(
            OTHER_BAND,
            "vital_signs",
            monitor,
            household=OTHER_HOME,
            attributes={"spo2_scale": 2.0},
        ),
        device(AWAY_MONITOR, "vital_signs", monitor, household=AWAY_HOME),
        device(GATEWAY, "gateway", ("heartbeat",)),
        *(device(i, "parking_bay", ("occupied", "battery")) for i in BAYS),
        *(
            device(i, "parking_bay", ("occupied", "battery"), area=OTHER_BUILDING)
            for i in OTHER_BAYS
        ),
        *(device(i, "smoke_detector", smoke) for i in SMOKES[:-1]),
        device(SMOKES[-1], "smoke_detector", smoke, area=OTHER_BUILDING, household=AWAY_HOME),
        *(device(i, "door", access, household=HOME) for i in DOORS),
    )
    homes = (HOME, OTHER_HOME, AWAY_HOME)
    return Inventory.of(
        (
            Area(COMMUNITY, "c", "community", None, NAME),
            Area(BUILDING, "b1", "building", COMMUNITY, NAME),
            Area(OTHER_BUILDING, "b2", "building", COMMUNITY, NAME),
        ),
        (Household(h, f"h{h}", BUILDING, NAME, care=True, away=h == AWAY_HOME) for h in homes),
        (replace(d, gateway=GATEWAY) if d.id in behind else d for d in devices),
    )


SCORES = (
    rule("s.news", "score: news2\n when: total >= 5 or single >= 3\n valid: 60s"),
    rule(
        "s.calm",
        "score: news2\n when: total >= 5\n clear: total <= 3\n valid: 60s\n assume: [air, alert]"
        "\n for: 10s\n keep_for: 7s\n no_data: alert\n unless: household.away",
    ),
    rule(
        "s.colours",
        "score: news2\n when: total >= 3 or single >= 3\n clear: total <= 1\n valid: 60s"
        "\n assume: [air, alert]"
        "\n severity: {red: total >= 7, orange: total >= 5, blue: total >= 3}",
    ),
    rule(
        "s.late",
        "score: news2\n when: total >= 5\n clear: total <= 4\n valid: 60s\n assume: [air, alert]"
        "\n for: 6s\n keep_for: 9s\n no_data: alert"
        "\n severity: {red: single >= 3, blue: total >= 2}",
    ),
    rule(
        "s.air", "score: news2\n when: total >= 4\n valid: 60s\n assume: air\n watch: {device: d2}"
    ),
)

FULL = (
    rule(
        "o.full",
        "watch: {metric: occupied}\n share: occupied == 1\n per: building\n when: share >= 0.75"
        "\n clear: share < 0.5\n for: 20s\n keep_for: 5s",
    ),
    rule(
        "o.two",
        "watch: {metric: occupied}\n share: value == 1\n per: community\n when: number >= 2"
        "\n known: 0.3\n no_data: alert",
    ),
    rule(
        "o.most",
        "watch: {metric: occupied}\n share: occupied < 1\n per: building\n known: 1"
        "\n when: total > 1 and share >= 0.5",
    ),
    rule(
        "o.hot",
        "watch: {metric: temperature}\n share: temperature > 50\n per: community\n known: 0.1"
        "\n when: share > 0.3\n unless: household.away",
    ),
    rule(
        "o.there",
        "watch: {metric: heartbeat}\n share: heartbeat == 1\n per: household\n"
        " when: number < 2\n for: 3s",
    ),
)

ROWS = (
    rule(
        "r.door",
        "watch: {metric: access_denied}\n in_a_row: 3\n when: access_denied == 1\n"
        " reset: {metric: access_granted}",
    ),
    rule(
        "r.home",
        "watch: {metric: access_denied}\n in_a_row: 4\n when: access_denied == 1\n"
        " reset: {metric: access_granted, where: value == 1}\n clear_after: 25s\n per: household",
    ),
    rule("r.fast", "watch: {metric: pulse}\n in_a_row: 2\n when: pulse > 90\n per: household"),
    rule(
        "r.faster",
        "watch: {metric: pulse}\n in_a_row: 2\n when: pulse > 90\n reset: pulse < 80\n"
        " clear_after: 40s\n unless: household.away",
    ),
)

MANY = (
    rule(
        "c.smoke",
        "watch: {metric: smoke}\n devices: 3\n within: 20s\n when: smoke == 1\n per: building",
    ),
    rule(
        "c.city",
        "watch: {metric: smoke}\n devices: 2\n within: 8s\n when: value == 1\n per: community"
        "\n unless: household.away",
    ),
    rule(
        "c.bells",
        "watch: {metric: access_denied}\n devices: 2\n within: 6s\n when: value == 1"
        "\n per: household",
    ),
)
