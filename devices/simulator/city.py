"""A whole city, or one community, through a span of time: what its devices say, slice by slice.

Deterministic from (inventory, span, seed). What a device says follows from its own code, its home
or car park and the date; slices, shares and other devices change nothing. Held in memory are the
cast, one date's plans and one slice of messages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property, lru_cache
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from devices import topic
from devices.inventory import Inventory
from devices.metric import BY_NAME, Metric
from devices.reading import F64, I32, I64, Batch, Reading, concatenate
from devices.simulator import body, detectors, doors, faults, incidents, parking, rooms
from devices.simulator.cast import Cast, Role
from devices.simulator.chance import draw
from devices.simulator.home import SLOT_MS, HomeDay, home_day
from devices.simulator.incidents import Incidence, Incident
from devices.simulator.message import Message, Said, native
from devices.simulator.plots import PLOTS
from devices.simulator.render import rendered
from devices.simulator.rhythm import Span
from devices.simulator.scene import HOUR_MS, MINUTE_MS, Lines, Scene, Slice
from devices.token import NO_ISSUE, NOBODY, issue_of, token_of

Habit = Callable[[Scene, Role, I32], Iterator[Lines]]


def _beats(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    return detectors.heartbeats(scene, role, rows)


HABITS: Mapping[str, tuple[Habit, ...]] = MappingProxyType(
    {
        "parking_bay": (parking.bay,),
        "car_park": (parking.car_park,),
        "barrier": (parking.barrier,),
        "door": (doors.door,),
        "card_reader": (doors.card_reader,),
        "sos_button": (_beats,),
        "gateway": (_beats,),
        "motion_sensor": (rooms.motion,),
        "water_meter": (rooms.water,),
        "wearable": (body.wearable,),
        "vital_signs": (body.vital_signs,),
        "smoke_detector": (detectors.quiet,),
        "gas_detector": (detectors.gas,),
        "leak_sensor": (detectors.quiet,),
    }
)
"""How each kind of `devices.kind` behaves; kinds that are not named here keep silent."""

TARGET: Final = 40_000
"""About how many messages a slice holds, where nobody says how long one is."""

CARDS: Final = 2**16
"""So many cards and plates are known by heart: each is read once, not at every passage."""


class Burst(NamedTuple):
    """Messages of one slice, by the instant at which each is due, ms since epoch, UTC.

    row: the device's in the cast, or the one in whose place a stranger speaks.
    """

    due: I64
    row: I32
    topic: list[bytes]
    payload: list[bytes]


class Share(NamedTuple):
    """Which part of the city speaks: the areas of one of `of` equal parts, from 0."""

    part: int = 0
    of: int = 1


WHOLE: Final = Share()


class City:
    """The simulated life of all devices of an inventory, or of a cast made before.

    incidents: the ground truth, by start · faults: what goes wrong besides.
    """

    def __init__(
        self,
        inventory: Inventory | Cast,
        span: Span,
        *,
        seed: int = 1,
        incidence: Incidence | None = None,
        rates: Mapping[str, float] = faults.RATES,
        share: Share = WHOLE,
    ) -> None:
        self.cast = inventory if isinstance(inventory, Cast) else Cast.of([inventory], seed)
        self.span = span
        self.share = share
        self.incidents: Sequence[Incident] = incidents.plan(
            self.cast, span, incidence or Incidence()
        )
        self._shown = incidents.windows(self.incidents)
        self._down = incidents.lying(self.cast, self.incidents)
        self.faults = faults.plan(self.cast, span, rates, self._shown)

    def share_of(self, part: int, of: int) -> "City":
        """The same city, of which only this part speaks; nothing is planned anew."""
        own = copy(self)
        own.share = Share(part, of)
        own.__dict__.pop("_roles", None)
        return own

    def messages(self) -> Iterator[Message]:
        """Every message of the span, by the instant at which it is due."""
        for burst in self.bursts():
            columns = (burst.due.tolist(), burst.topic, burst.payload)
            for due, address, payload in zip(*columns, strict=True):
                yield Message(due * 1_000, address.decode(), payload)

    def bursts(self, length: int | None = None) -> Iterator[Burst]:
        """The same in bulk; length: of a slice, ms, by default what some 40 000 messages take."""
        waiting: list[tuple[int, int, int, bytes, bytes]] = []
        turn = iter(range(2**62))
        for scene in self._scenes(length or self._length()):
            now = scene.now
            ready = [self._spoken(lines, waiting, turn) for lines in self._lines(scene)]
            for row, due, address, payload in self._extra(now):
                heappush(waiting, (due, row, next(turn), address, payload))
            ready.append(_ripe(waiting, now.end))
            yield _sorted(ready)

    def readings(self, length: int | None = None) -> Iterator[Batch]:
        """The same as readings, by arrival; without rubbish and what strangers say.

        No message is written, which is most of the work; a test compares with `bursts`.
        """
        waiting = Batch.empty()
        for scene in self._scenes(length or self._length()):
            said = [self._heard(lines) for lines in self._lines(scene)]
            said.append(self._told(scene.now))
            heard = concatenate([waiting, *said])
            heard = heard.take(np.argsort(heard.arrival, kind="stable"))
            ripe = int(np.searchsorted(heard.arrival, scene.now.end * 1_000))
            waiting = heard.take(np.arange(ripe, len(heard)))
            yield heard.take(np.arange(ripe))

    def _heard(self, lines: Lines) -> Batch:
        """These as readings, those of each message one after another."""
        sent = self.faults.apply(lines)
        count, names = len(sent.ts), sent.lines.names
        token, issue = _naming(sent.lines)
        return Batch(
            np.repeat(sent.ts * 1_000, len(names)),
            np.repeat(sent.due * 1_000, len(names)),
            np.repeat(self.cast.id[sent.lines.rows].astype(np.int32), len(names)),
            np.tile(np.array([BY_NAME[name].id for name in names], np.int16), count),
            np.column_stack(sent.lines.columns).astype(np.float64).reshape(-1),
            token,
            issue,
        )

    def _told(self, now: Slice) -> Batch:
        """What incidents that begin in this slice make their devices say, and words of gateways."""
        said = [
            Reading(due, due, int(self.cast.id[row]), metric.id, float(value), *_named(metric, one))
            for incident in self._beginning(now)
            for row, one in incidents.acts(incident)
            if self._mine(row)
            for due in (one.at // 1_000 * 1_000,)
            for name, value in one.values.items()
            for metric in (BY_NAME[name],)
        ]
        beat = BY_NAME["heartbeat"].id
        for row, at, word in self.faults.words(now.start, now.end):
            if self._mine(row):
                due, device = at * 1_000, int(self.cast.id[row])
                said.append(Reading(due, due, device, beat, float(word == b"online")))
        return Batch.of(said)

    def _length(self) -> int:
        """Devices speak about once in five minutes on average, at most."""
        per_second = len(self.cast) / self.share.of / 300 + 0.01
        return int(np.clip(TARGET / per_second * 1_000, 20_000, HOUR_MS))

    def _scenes(self, length: int) -> Iterator[Scene]:
        begin, end = -(-self.span.start // 1_000), -(-self.span.end // 1_000)
        meters = self._meters
        for date, midnight in self.span.days():
            start = max(begin, midnight // 1_000)
            stop = min(end, self._next_midnight(midnight) // 1_000)
            day: HomeDay = home_day(self.cast.homes, date)
            plans: dict[str, Any] = {}
            while start < stop:
                upto = min(stop, (start // length + 1) * length)
                now = Slice(start, upto, midnight // 1_000, date)
                yield Scene(self.cast, now, day, self._down, meters, self.faults.stuck, plans)
                start = upto

    def _next_midnight(self, midnight: int) -> int:
        return self.span.midnight(midnight + 36 * HOUR_MS * 1_000)

    def _lines(self, scene: Scene) -> Iterator[Lines]:
        """What the devices of this share say of their own accord, as long as nothing happens."""
        for role, rows in self._roles:
            for habit in (*HABITS.get(role.kind, ()), detectors.batteries):
                for lines in habit(scene, role, rows):
                    if len(lines.rows):
                        yield self._undisturbed(lines)
        yield from self._hello(scene)

    @cached_property
    def _roles(self) -> list[tuple[Role, I32]]:
        part, of = self.share
        return [
            (role, role.rows[self.cast.area[role.rows] % of == part]) for role in self.cast.roles
        ]

    def _hello(self, scene: Scene) -> Iterator[Lines]:
        """A device with a heartbeat says hello within a minute of being switched on."""
        first = -(-self.span.start // 1_000)
        if scene.now.start > first + MINUTE_MS:
            return
        for role, rows in self._roles:
            if "heartbeat" in role.metrics and role.kind in HABITS:
                delay = draw(self.cast.key[rows], "hello", first) * MINUTE_MS
                at = first + delay.astype(np.int64)
                now = scene.now.holds(at)
                yield Lines(rows[now], at[now], ("heartbeat",), (np.ones(now.sum(), np.int64),))

    def _undisturbed(self, lines: Lines) -> Lines:
        """What is said apart from incidents: their metrics are left out while they last."""
        hiding = np.array([not plot.hides.isdisjoint(lines.names) for plot in PLOTS])
        found = self._shown.match(lines.rows, lines.at)
        if not hiding.any() or not (found >= 0).any():
            return lines
        hidden = (found >= 0) & hiding[self._shown.what[found]]
        return lines.take(~hidden)

    def _spoken(
        self,
        lines: Lines,
        waiting: list[tuple[int, int, int, bytes, bytes]],
        turn: Iterator[int],
    ) -> Burst:
        """These as messages; those that come later than this slice are put to the waiting."""
        sent = self.faults.apply(lines)
        payload = rendered(sent.lines, sent.ts)
        rows, due = sent.lines.rows, sent.due
        topics = self.cast.topic
        later = np.flatnonzero(due != sent.lines.at)
        for n in later.tolist():
            row = int(rows[n])
            heappush(waiting, (int(due[n]), row, next(turn), topics[row], payload[n]))
        if len(later):
            keep = np.flatnonzero(due == sent.lines.at)
            rows, due, payload = rows[keep], due[keep], [payload[n] for n in keep.tolist()]
        return Burst(due, rows, [topics[row] for row in rows.tolist()], payload)

    def _extra(self, now: Slice) -> Iterator[tuple[int, int, bytes, bytes]]:
        """Messages of incidents that begin in this slice, rubbish, and those of strangers."""
        for incident in self._beginning(now):
            for row, said in incidents.acts(incident):
                if self._mine(row):
                    yield row, said.at // 1_000, self.cast.topic[row], native(said)
        for row, at, word in self.faults.words(now.start, now.end):
            if self._mine(row):
                yield row, at, topic.status(*self.cast.where(row)).encode(), word
        for fault in self.faults.momentary(now.start, now.end):
            if not self._mine(fault.row):
                continue
            if fault.what == "rubbish":
                yield fault.row, fault.start, self.cast.topic[fault.row], b'{"ts": 17\x00\xff no'
            else:
                community, _ = self.cast.where(fault.row)
                address = topic.up(community, "unregistered-1").encode()
                yield fault.row, fault.start, address, _charge(fault.start)

    def _beginning(self, now: Slice) -> Sequence[Incident]:
        low, high = np.searchsorted(self._starts, [now.start, now.end])
        return self.incidents[low:high]

    @cached_property
    def _starts(self) -> I64:
        return np.array([incident.start // 1_000 for incident in self.incidents], np.int64)

    def _mine(self, row: int) -> bool:
        return int(self.cast.area[row]) % self.share.of == self.share.part

    @cached_property
    def _meters(self) -> tuple[F64, F64]:
        """What meters show when somebody begins to lie helpless, and would show in the end."""
        down = self._down
        begun, ended = np.zeros(len(down.rows)), np.zeros(len(down.rows))
        for values, instants in ((begun, down.start), (ended, down.until)):
            numbers = np.array([self.span.number(at * 1_000) for at in instants.tolist()], int)
            for date in np.unique(numbers).tolist():
                mine = np.flatnonzero(numbers == date)
                day = home_day(self.cast.homes.take(down.rows[mine]), date)
                midnight = self.span.midnight(int(instants[mine[0]]) * 1_000) // 1_000
                slots = (instants[mine] - midnight) / SLOT_MS
                values[mine] = rooms.metered(day, np.arange(len(mine), dtype=np.int32), slots)
        return begun, ended


def _naming(lines: Lines) -> tuple[I64, I32]:
    """Whom these messages name, and the card's issue, for each of their values: as ingest has it.

    Only what is momentary names anybody.
    """
    count = len(lines.rows) * len(lines.names)
    occurs = np.array([BY_NAME[name].momentary for name in lines.names])
    if lines.attributes is None or not occurs.any():
        return np.zeros(count, np.int64), np.zeros(count, np.int32)
    facts = np.array([_read(said) for said in lines.attributes], np.int64).reshape(-1, 2)
    token, issue = (np.outer(column, occurs).reshape(-1) for column in facts.T)
    return token, issue.astype(np.int32)


def _named(metric: Metric, said: Said) -> tuple[int, int]:
    if not metric.momentary:
        return NOBODY, NO_ISSUE
    return token_of(said.attributes), issue_of(said.attributes)


@lru_cache(maxsize=CARDS)
def _read(attributes: bytes) -> tuple[int, int]:
    facts = orjson.loads(attributes)
    return token_of(facts), issue_of(facts)


def _charge(at: int) -> bytes:
    return native(Said(at * 1_000, {"battery": 77.0}))


def _ripe(waiting: list[tuple[int, int, int, bytes, bytes]], end: int) -> Burst:
    ripe = []
    while waiting and waiting[0][0] < end:
        ripe.append(heappop(waiting))
    due = np.array([one[0] for one in ripe], np.int64)
    row = np.array([one[1] for one in ripe], np.int32)
    return Burst(due, row, [one[3] for one in ripe], [one[4] for one in ripe])


def _sorted(parts: Sequence[Burst]) -> Burst:
    due = np.concatenate([part.due for part in parts])
    row = np.concatenate([part.row for part in parts])
    topics = [address for part in parts for address in part.topic]
    payloads = [payload for part in parts for payload in part.payload]
    order = np.lexsort((row, due))
    index = order.tolist()
    return Burst(due[order], row[order], [topics[n] for n in index], [payloads[n] for n in index])
