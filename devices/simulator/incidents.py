"""Incidents planted in the days, each with what, where, from and until: the ground truth.

Whether a device shows one on a date follows from the device and the date alone; besides, the first
of every plot comes within the first hours of the span, at a device chosen from all. What a device
would have said of the same metrics meanwhile is left out (`windows`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from devices.instant import DAY, MINUTE, SECOND, Micros, to_datetime
from devices.reading import I32, I64, Bool
from devices.simulator.cast import NOWHERE, Cast
from devices.simulator.chance import bits, draw
from devices.simulator.doors import credential
from devices.simulator.home import home_day
from devices.simulator.message import Said
from devices.simulator.plots import BY_NAME, CARD_PLOTS, FIRST, PLOTS, Course, Plot
from devices.simulator.rhythm import Span
from devices.simulator.scene import HOUR_MS, Windows

MARGIN: Micros = 30 * MINUTE
"""No two incidents of a device, or of a home, come nearer than this."""

STAIRWELL = 4
"""At most so many detectors tell of smoke in a stairwell."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One planted incident: start ≤ t < until in µs since epoch, UTC; `metric` shows it.

    device, device_id: the first that shows it · devices: the codes of all · rows, area: positions
    in the cast.
    """

    what: str
    device: str
    community: str
    device_id: int
    household: int | None
    area: int
    metric: str
    start: Micros
    until: Micros
    area_code: str = ""
    household_code: str | None = None
    devices: tuple[str, ...] = ()
    credential: str = ""
    rows: tuple[int, ...] = field(default=(), compare=False, repr=False)

    def record(self) -> dict[str, object]:
        """This as a line of incidents.jsonl, its times in RFC 3339, UTC."""
        return {
            "what": self.what,
            "community": self.community,
            "area": self.area_code,
            "household": self.household_code,
            "device": self.device,
            "devices": list(self.devices),
            "metric": self.metric,
            "from": to_datetime(self.start).isoformat(),
            "until": to_datetime(self.until).isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Incidence:
    """How many to plant: `factor` times the plots' rates, of these plots, with or without one of
    each in the first hours.
    """

    factor: float = 1.0
    plots: Collection[str] = tuple(BY_NAME)
    opening: bool = True


def plan(cast: Cast, span: Span, incidence: Incidence) -> list[Incident]:
    """The incidents of this span, by their start, no two at one device at a time."""
    planner = _Planner(cast, span)
    chosen = [plot for plot in PLOTS if plot.what in incidence.plots]
    begun = [
        (start, plot, row)
        for plot in chosen
        for start, row in planner.begin(plot, incidence.factor, incidence.opening)
    ]
    begun.sort(key=lambda one: (one[0], one[1].what, one[2]))
    taken: dict[tuple[str, int], Micros] = {}
    found = (planner.incident(plot, start, row) for start, plot, row in begun)
    return sorted((i for i in found if i and _free(cast, i, taken)), key=lambda i: i.start)


def acts(incident: Incident) -> Iterator[tuple[int, Said]]:
    """What the incident's devices say because of it: the row of each, and what."""
    course = Course(incident.start, incident.until, len(incident.rows), incident.credential)
    for device, said in BY_NAME[incident.what].says(course):
        yield incident.rows[device], said


def windows(incidents: Sequence[Incident]) -> Windows:
    """When which device shows an incident; `what` is the position of its plot."""
    number = {plot.what: n for n, plot in enumerate(PLOTS)}
    return Windows.of(
        [
            (row, i.start // 1_000, (i.until + MINUTE) // 1_000, number[i.what])
            for i in incidents
            for row in i.rows
        ]
    )


def lying(cast: Cast, incidents: Sequence[Incident]) -> Windows:
    """In which homes somebody lies helpless, and when."""
    return Windows.of(
        [
            (int(cast.home[i.rows[0]]), i.start // 1_000, i.until // 1_000, 0)
            for i in incidents
            if i.what == "no_movement"
        ]
    )


class _Planner:
    def __init__(self, cast: Cast, span: Span) -> None:
        self._cast = cast
        self._span = span
        self._begin = -(-span.start // SECOND) * SECOND
        smoke = cast.rows("smoke_detector", "smoke")
        self._stairs = smoke[cast.home[smoke] == NOWHERE]
        self._doors = cast.rows("door", "access_granted")
        self._motion = cast.rows("motion_sensor", "motion")
        communities = [address.split(b"/")[2] for address in cast.topic]
        self._community = np.unique(communities, return_inverse=True)[1]

    def begin(self, plot: Plot, factor: float, opening: bool) -> Iterator[tuple[Micros, int]]:
        """Whole seconds, so that a payload's milliseconds tell exactly when an incident began."""
        able = self._able(plot)
        key = self._cast.key[able]
        if opening and len(able):
            first = self._begin + FIRST[PLOTS.index(plot)]
            yield first, int(able[np.argmin(bits(key, f"first {plot.what}", first // SECOND))])
        for date, midnight in self._span.days():
            shows = draw(key, plot.what, date) < min(1.0, plot.rate * factor)
            second = (draw(key[shows], f"{plot.what} at", date) * 86_400).astype(np.int64)
            for row, after in zip(able[shows].tolist(), second.tolist(), strict=True):
                start = midnight + after * SECOND
                if self._begin + 3 * MARGIN <= start < self._span.end:
                    yield start, row

    def incident(self, plot: Plot, start: Micros, row: int) -> Incident | None:
        """The incident that begins there; None where it needs devices that are not there."""
        cast = self._cast
        rows = self._rows(plot, row, start)
        if not rows:
            return None
        if plot.what == "no_movement":
            start = self._when_at_home(int(cast.home[row]), start)
        community, device = cast.where(row)
        home = int(cast.home[row])
        return Incident(
            plot.what,
            device,
            community,
            int(cast.id[row]),
            int(cast.homes.id[home]) if home != NOWHERE else None,
            int(cast.area[row]),
            plot.metric,
            start,
            start + plot.lasting,
            cast.area_codes[cast.area[row]],
            cast.homes.code[home] if home != NOWHERE else None,
            tuple(cast.where(r)[1] for r in rows),
            self._card(row, start) if plot.what in CARD_PLOTS else "",
            rows,
        )

    def _able(self, plot: Plot) -> I32:
        """The devices that can show it: of homes, those where somebody is."""
        cast = self._cast
        rows = cast.rows(plot.kind, plot.metric)
        fits: Bool = np.ones(len(rows), bool)
        if plot.what == "fire_lane_blocked":
            fits = cast.keeps_clear[rows]
        elif plot.what == "smoke_in_stairwell":
            rows = self._stairs
            fits = np.ones(len(rows), bool)
        elif len(cast.homes):
            home = cast.home[rows]
            fits = (home == NOWHERE) | ~cast.homes.away[home]
            if plot.what in {"no_movement", "low_spo2"}:
                fits &= (home != NOWHERE) & cast.homes.care[home] & ~cast.copd[rows]
        chosen: I32 = rows[fits]
        return chosen

    def _rows(self, plot: Plot, row: int, start: Micros) -> tuple[int, ...]:
        """Rows that show it, the first is the given; none where it needs more than there are."""
        cast = self._cast
        if plot.what == "no_movement":
            others = self._motion[cast.home[self._motion] == cast.home[row]]
        elif plot.what == "smoke_in_stairwell":
            others = self._stairs[cast.area[self._stairs] == cast.area[row]]
            if len(others) < 2:
                return ()
        elif plot.what == "card_shared":
            near = self._doors[self._community[self._doors] == self._community[row]]
            far = near[cast.area[near] != cast.area[row]]
            if not len(far):
                return ()
            order = bits(cast.key[far], "far", start // SECOND)
            return row, int(far[np.argmin(order)])
        else:
            return (row,)
        rest = [int(other) for other in others if other != row]
        return (row, *rest[: STAIRWELL - 1])

    def _when_at_home(self, home: int, start: Micros) -> Micros:
        """This instant, or five minutes after somebody is back where all are out then."""
        homes = self._cast.homes.take(np.array([home]))
        midnight = self._span.midnight(start)
        day = home_day(homes, self._span.number(start))
        hour = (start - midnight) / 1_000 / HOUR_MS
        for out in day.outings:
            if out.whole[0] and out.start[0] - 0.1 <= hour < out.end[0] + 0.1:
                return midnight + round((float(out.end[0]) + 0.1) * 3_600) * SECOND
        return start

    def _card(self, row: int, start: Micros) -> str:
        key = self._cast.key[row : row + 1]
        number: I64 = credential(key, np.array([start // DAY]))
        return f"card-{int(number[0]):08d}"


def _free(cast: Cast, incident: Incident, taken: dict[tuple[str, int], Micros]) -> bool:
    """Whether nothing else happens there then; notes that this does, where it is so."""
    places = [("device", row) for row in incident.rows]
    home = int(cast.home[incident.rows[0]])
    if home != NOWHERE:
        places.append(("home", home))
    if any(taken.get(place, -DAY) + MARGIN > incident.start for place in places):
        return False
    taken.update(dict.fromkeys(places, incident.until))
    return True
