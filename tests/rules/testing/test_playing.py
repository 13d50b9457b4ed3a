"""Tests of rules, played: what passes, and what is told of what does not."""

import pytest

from tests.rules.testing.place import one, told


@pytest.mark.parametrize(
    "body",
    [
        """
series: {band.spo2: 97 x5 90 x10 94}
alerts: [{rule: c.low, subject: band, from: 7m, since: 5m, until: 15m, told: 7m, to: wang}]
        """,
        # a reading that comes late fires at its own time, and is told when it comes
        """
readings:
- {at: 1m, device: band, values: {sos: 1, pulse: 99}, late: 20m}
alerts: [{rule: c.sos, from: 2026-03-01 08:01, told: 21m, value: 1, devices: band}]
        """,
        # each press by itself; 'late' does not hide a press
        """
series: {band.sos: 1 _ 1}
alerts: [{rule: c.sos, from: 0}, {rule: c.sos, from: 2m}]
        """,
        # silence is unknown: from three intervals after the last reading to the next
        """
series: {band.spo2: 90 x3 _ x10 90 97}
alerts: [{rule: c.low, from: 2m, until: 14m, unknown: 8m..13m}]
at:
- {time: 2m, firing: c.low, unknown: []}
- {time: 9m, firing: c.low@band, unknown: c.low@band}
- {time: 14m, firing: []}
        """,
        # to the end
        """
series: {band.spo2: 90 x3}
until: 8m
alerts: [{rule: c.low, from: 2m, unknown: [8m..]}]
        """,
        # nobody is at home
        """
series: {watch.spo2: 80 x9}
alerts: []
        """,
        # away for a while: what was pending begins anew, nothing fires meanwhile
        """
series: {band.spo2: 97 90 x20 95}
away: {home: 2m..6m}
alerts: [{rule: c.low, from: 8m, since: 6m, until: 21m}]
        """,
        # whom the place says is away is at home but for the times in the test
        """
series: {watch.spo2: 80 x9}
away: {trip: [3m..4m]}
alerts: [{rule: c.low, from: 2m}]
        """,
        # an expectation that leaves the subject open gives way to one that does not
        """
series: {band.sos: 1, watch.sos: 1}
alerts: [{rule: c.sos, from: 0}, {rule: c.sos, subject: band, from: 0}]
at: [{time: 0, firing: [c.sos@community/watch, c.sos@band]}]
        """,
        # an absence counts from the start, and is told without any reading
        """
series: {motion.motion: _}
until: 2h
alerts: [{rule: c.still, subject: home, from: 1h, since: 0, told: 1h, severity: orange}]
        """,
        # an absence that ends with the reading after it, and due before a reading at its instant
        """
interval: 40m
series: {motion.motion: 0 _ x2 0 x3}
alerts: [{rule: c.still, from: 60m, until: 2h}]
        """,
        # the word 'offline'
        """
series: {gw.heartbeat: online x2 offline _ x2 online x2}
alerts: [{rule: d.lost, subject: gw, from: 3m30s, since: 2m, until: 5m}]
        """,
        # silence of the gateway: 3 x 5 min
        """
series: {gw.heartbeat: online _ x16}
alerts: [{rule: d.lost, subject: gw, from: 15m, since: 0, told: 15m1s}]
        """,
        # several devices of a building
        """
only: a.denied
series: {door.access_denied: '1{credential: A7} _ x9', back.access_denied: _ 1 x2 _ x9}
alerts: [{rule: a.denied, subject: b1, from: 2m, devices: [door, back], value: 3, until: 5m}]
        """,
        # without 'only' what other rules say counts too: the door falls silent
        """
series: {door.access_denied: 1}
until: 40m
alerts: [{rule: d.lost, from: 30m}]
        """,
        # devices that the test does not name are not there
        """
series: {band.pulse: 70}
until: 5d
alerts: []
        """,
        # the community tells two devices of one code apart
        """
series: {community/band.sos: 1}
alerts: [{rule: c.sos, subject: community/band, from: 0}]
        """,
    ],
)
def test_passes(body: str) -> None:
    assert told(one(body)) == []


def lines_of(body: str) -> list[str]:
    """What is told, without the number of the line on which it was expected."""
    return [line.partition("; expected on line")[0] for line in told(one(body))]


def test_an_alert_that_came_otherwise() -> None:
    body = """
series: {band.spo2: 97 x5 90 x10 94}
alerts:
- {rule: c.low, from: 8m, since: 6m, until: 16m, told: 9m, severity: blue, to: li, value: 3}
    """
    assert lines_of(body) == [
        "otherwise: c.low at band from 7m (08:07:00), until 15m (08:15:00)",
        "    from: expected 8m (08:08:00); got 7m (08:07:00): condition_held",
        "    until: expected 16m (08:16:00); got 15m (08:15:00): condition_ended",
        "    since: expected 6m (08:06:00); got 5m (08:05:00)",
        "    told: expected 9m (08:09:00); got 7m (08:07:00)",
        "    severity: expected blue; got red from 7m (08:07:00)",
        "    value: expected 3; got 90",
        "    to: expected li; got wang: duty_at_place",
    ]


def test_an_alert_that_did_not_come_says_what_was_heard() -> None:
    body = """
series: {band.spo2: 97 x3 90 95 x2}
alerts: [{rule: c.low, subject: band, from: 5m}]
    """
    first, why = told(one(body))
    assert first.startswith("missing: c.low at band from 5m (08:05:00), expected on line ")
    assert why == (
        "    why: 6 readings of spo2 by then, the last: band 97 at 1m (08:01:00), band 97 at 2m"
        " (08:02:00), band 90 at 3m (08:03:00), band 95 at 4m (08:04:00), band 95 at 5m (08:05:00)"
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("alerts: [{rule: c.low, subject: band, from: 5m}]", "no spo2 was heard by then"),
        (
            "series: {watch.spo2: 80 x5}\nalerts: [{rule: c.low, subject: watch, from: 4m}]",
            "nobody is at home there",
        ),
        (
            "series: {band.spo2: 80 x5}\naway: {home: 0..}\nalerts: [{rule: c.low, from: 4m}]",
            "nobody is at home there",
        ),
        (
            "series: {band.spo2: 80 x2}\nalerts: [{rule: c.low, subject: motion, from: 0}]",
            "of what this test names the rule judges band",
        ),
        (
            "series: {band.spo2: 97}\nalerts: [{rule: c.still, from: 1h}]",
            "of what this test names the rule judges nothing",
        ),
    ],
)
def test_why_an_alert_did_not_come(body: str, why: str) -> None:
    missing, *reasons = told(one(body))
    assert missing.startswith("missing: ")
    assert any(why in reason for reason in reasons), reasons


def test_an_alert_that_was_not_expected_says_why_it_came() -> None:
    body = """
series: {band.sos: _ 1}
alerts: []
    """
    assert told(one(body)) == [
        "unexpected: c.sos at band from 1m (08:01:00), stands at the end",
        "    why: occurred since 1m (08:01:00), value 1 (rules.yaml:11)",
    ]


def test_alike_alerts_are_paired_before_those_that_differ() -> None:
    body = """
series: {band.sos: 1 _ 1 _ 1}
alerts: [{rule: c.sos, from: 2m}, {rule: c.sos, from: 4m}, {rule: c.sos, from: 1m}]
    """
    first, second = lines_of(body)
    assert first == "otherwise: c.sos at band from 0s (08:00:00), stands at the end"
    assert second == "    from: expected 1m (08:01:00); got 0s (08:00:00): occurred"


def test_what_stands_at_an_instant() -> None:
    body = """
series: {band.spo2: 90 x9, band.sos: _ 1}
at:
- {time: 1m, firing: [c.sos]}
- {time: 5m, firing: [c.low], unknown: [c.low]}
- {time: 8m, firing: []}
    """
    at = [line.partition(", line")[0] for line in told(one(body))]
    assert at == [
        "at 5m (08:05:00)",
        "    firing: expected c.low; got c.low@band, c.sos@band",
        "    unknown: expected c.low; got nothing",
        "at 8m (08:08:00)",
        "    firing: expected nothing; got c.low@band, c.sos@band",
    ]


def test_an_unknown_span_that_was_not_expected() -> None:
    body = """
series: {band.spo2: 90 x3 _ x10 90 97}
alerts: [{rule: c.low, from: 2m, until: 14m}]
    """
    assert told(one(body))[1:] == [
        "    unknown: expected never; got 8m (08:08:00) to 13m (08:13:00)"
    ]


def test_colours_by_the_time_at_which_they_begin() -> None:
    body = """
series: {band.spo2: 90 x3 97}
alerts: [{rule: c.low, from: 2m, until: 3m, severity: {2m: COLOURS}}]
    """
    assert told(one(body.replace("COLOURS", "red"))) == []
    (_, difference) = told(one(body.replace("COLOURS", "yellow, 150s: red")))
    assert difference == (
        "    severity: expected yellow from 2m (08:02:00), red from 2m30s (08:02:30);"
        " got red from 2m (08:02:00)"
    )
