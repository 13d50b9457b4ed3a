"""What goes wrong with devices and on the way, planted at rates, with its own ground truth.

At most one fault a device and date, and none where an incident is planted, so that what an incident
should bring about can be told. An outage of a gateway takes all devices behind it: they are silent,
and what it kept comes late, all at once; for the gateway itself the broker says 'offline'. Of
devices that name no gateway, those of an area share one that is not registered.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from devices.instant import to_datetime
from devices.metric import BY_NAME
from devices.reading import I32, I64, Bool
from devices.simulator.cast import Cast
from devices.simulator.chance import bits, draw
from devices.simulator.rhythm import Span
from devices.simulator.scene import HOUR_MS, MINUTE_MS, Lines, Windows

LATE_MS: Final = 20 * MINUTE_MS
WILL_MS: Final = 90_000
"""One and a half times a keep-alive of a minute: after that a broker tells of a lost gateway."""

RATES: Mapping[str, float] = MappingProxyType(
    {
        "stuck": 0.002,
        "silent": 0.002,
        "drifting": 0.002,
        "duplicate": 0.01,
        "late": 0.01,
        "out_of_order": 0.01,
        "wrong_clock": 0.01,
        "rubbish": 0.05,
        "unknown_device": 0.05,
        "gateway_outage": 0.01,
    }
)
"""How many a device (outages: a gateway or area) and day; our choice, often enough for a demo."""

_HOURS: Mapping[str, float] = MappingProxyType(
    {"stuck": 6.0, "silent": 5.0, "drifting": 6.0, "rubbish": 0.0, "unknown_device": 0.0}
)
"""About how long each lasts; an hour where it does not say."""

_NAMES: Final = tuple(name for name in RATES if name != "gateway_outage")
_SENSORS: Final = frozenset({"wearable", "car_park", "gas_detector", "vital_signs", "water_meter"})
"""Kinds that measure, so that they can get stuck or drift; water only gets stuck."""

_DRIFT: Mapping[str, float] = MappingProxyType(
    {"pulse": 3.0, "spo2": -0.8, "body_temperature": 0.2, "gas_concentration": 20.0}
)
"""By how much a value goes astray in an hour, in the metric's unit."""


class Fault(NamedTuple):
    """One planted fault: start ≤ t ≤ until, ms since epoch, UTC; row or relay, the other is -1."""

    what: str
    row: int
    relay: int
    start: int
    until: int


class Sent(NamedTuple):
    """Messages as they leave: `ts` is what they say their time is, `due` when they go, both ms."""

    lines: Lines
    ts: I64
    due: I64


@dataclass(frozen=True, slots=True, eq=False)
class Faults:
    """The faults of a span. devices: by row, `what` is a position in RATES · outages: by relay."""

    cast: Cast
    devices: Windows
    outages: Windows
    stuck: Windows = field(init=False)

    def __post_init__(self) -> None:
        d = self.devices
        mine = d.what == _NAMES.index("stuck")
        object.__setattr__(self, "stuck", d.only(mine))

    def __len__(self) -> int:
        return len(self.devices.rows) + len(self.outages.rows)

    def listed(self) -> Iterator[Fault]:
        """Every one, by device and by relay."""
        d, out = self.devices, self.outages
        columns = (d.what.tolist(), d.rows.tolist(), d.start.tolist(), d.until.tolist())
        for what, row, start, until in zip(*columns, strict=True):
            yield Fault(_NAMES[what], row, -1, start, until)
        for relay, start, until in zip(
            out.rows.tolist(), out.start.tolist(), out.until.tolist(), strict=True
        ):
            yield Fault("gateway_outage", -1, relay, start, until)

    def records(self) -> Iterator[dict[str, object]]:
        """Lines of faults.jsonl, times in RFC 3339, UTC."""
        for fault in self.listed():
            row = fault.row if fault.row >= 0 else int(self.cast.relays.row[fault.relay])
            community, device = self.cast.where(row) if row >= 0 else (None, None)
            area = int(self.cast.area[row] if row >= 0 else self.cast.relays.area[fault.relay])
            yield {
                "what": fault.what,
                "community": community,
                "area": self.cast.area_codes[area],
                "device": device,
                "from": to_datetime(fault.start * 1_000).isoformat(),
                "until": to_datetime(fault.until * 1_000).isoformat(),
            }

    def momentary(self, start: int, end: int) -> Iterator[Fault]:
        """Rubbish and unknown devices that begin in start ≤ t < end, ms."""
        d = self.devices
        now = np.flatnonzero((d.start >= start) & (d.start < end) & (d.start == d.until))
        for n in now.tolist():
            what = _NAMES[int(d.what[n])]
            yield Fault(what, int(d.rows[n]), -1, int(d.start[n]), int(d.until[n]))

    def words(self, start: int, end: int) -> Iterator[tuple[int, int, bytes]]:
        """Of registered gateways in start ≤ t < end: row, when (ms), and 'offline' or 'online'.

        'offline' is the broker's: it has waited one and a half times the keep-alive.
        """
        rows = self.cast.relays.row[self.outages.rows]
        gone, back = self.outages.start + WILL_MS, self.outages.until + 1_000
        for when, word in ((np.minimum(gone, back - 500), b"offline"), (back, b"online")):
            for n in np.flatnonzero((when >= start) & (when < end) & (rows >= 0)).tolist():
                yield int(rows[n]), int(when[n]), word

    def apply(self, lines: Lines) -> Sent:
        """These messages as they go out: some changed, some delayed, some doubled, some missing."""
        lines, out = self._without_gateways(lines)
        found = self.devices.match(lines.rows, lines.at)
        sent = Sent(lines, lines.at, lines.at)
        if (found >= 0).any():
            sent = self._one_by_one(lines, found)
            found = self.devices.match(sent.lines.rows, sent.lines.at)
            out = self.outages.match(self.cast.relay[sent.lines.rows], sent.lines.at)
        if (out >= 0).any():
            sent = self._kept_back(sent, out)
        return sent

    def _without_gateways(self, lines: Lines) -> tuple[Lines, I64]:
        """These but for what a gateway would say while it is gone; the outage of each or -1."""
        relay = self.cast.relay[lines.rows]
        out = self.outages.match(relay, lines.at)
        silent = (out >= 0) & (self.cast.relays.row[relay] == lines.rows)
        return (lines.take(~silent), out[~silent]) if silent.any() else (lines, out)

    def _one_by_one(self, lines: Lines, found: I64) -> Sent:
        what = np.where(found >= 0, self.devices.what[found], -1)
        heard = what != _NAMES.index("silent")
        lines, found, what = lines.take(heard), found[heard], what[heard]
        lines = self._drifted(lines, found, what)
        ts, due = lines.at, lines.at.copy()
        due = due + LATE_MS * (what == _NAMES.index("late"))
        key = self.cast.key[lines.rows]
        astray = (what == _NAMES.index("out_of_order")) & (draw(key, "astray", lines.at) < 0.5)
        wait = MINUTE_MS + (bits(key, "wait", lines.at) % np.uint64(14 * MINUTE_MS)).astype(
            np.int64
        )
        due = due + wait * astray
        wrong = what == _NAMES.index("wrong_clock")
        ts = np.where(wrong, self._misdated(key, lines.at, self.devices.start[found]), ts)
        again = np.flatnonzero(what == _NAMES.index("duplicate"))
        if not len(again):
            return Sent(lines, ts, due)
        rows = np.concatenate([np.arange(len(ts)), again])
        later = 1_000 + (wait[again] % 19_000)
        return Sent(lines.take(rows), ts[rows], np.concatenate([due, due[again] + later]))

    def _misdated(self, key: np.ndarray, at: I64, began: I64) -> I64:
        """A clock that was never set (counting from 1970), or is an hour behind, or ahead."""
        way = (bits(key, "clock", began) % np.uint64(3)).astype(np.int64)
        return np.where(way == 0, at % 1_000_000, at + np.where(way == 1, -HOUR_MS, HOUR_MS))

    def _drifted(self, lines: Lines, found: I64, what: I64) -> Lines:
        drifting = what == _NAMES.index("drifting")
        if not drifting.any():
            return lines
        hours = np.where(drifting, (lines.at - self.devices.start[found]) / HOUR_MS, 0.0)
        columns = []
        for name, column in zip(lines.names, lines.columns, strict=True):
            slope = _DRIFT.get(name, 0.0)
            metric = BY_NAME[name]
            moved = np.clip(np.round(column + slope * hours, 1), metric.low, metric.high)
            columns.append(moved.astype(column.dtype) if slope else column)
        return lines._replace(columns=tuple(columns))

    def _kept_back(self, sent: Sent, out: I64) -> Sent:
        """What a gateway kept goes within two seconds of its return, in its order."""
        start, until = self.outages.start[out], self.outages.until[out]
        share = (sent.due - start) / np.maximum(1, until - start)
        later = until + 1_000 + np.clip(share * 2_000, 0, 2_000).astype(np.int64)
        return sent._replace(due=np.where(out >= 0, np.maximum(sent.due, later), sent.due))


def plan(cast: Cast, span: Span, rates: Mapping[str, float], incidents: Windows) -> Faults:
    """The faults of this span, away from the incidents; rates as in RATES, 0 where not named."""
    devices, relays = [], []
    for date, midnight in span.days():
        devices.append(_of_devices(cast, rates, date, midnight // 1_000))
        relays.append(_outages(cast, rates, date, midnight // 1_000))
    windows = _within(span, _joined(devices))
    windows = _away_from(incidents, windows, windows.rows)
    outages = _within(span, _joined(relays))
    shown = Windows(
        cast.relay[incidents.rows].astype(np.int64),
        incidents.start,
        incidents.until,
        incidents.what,
    )
    return Faults(cast, windows, _clear_of(shown, outages))


def _of_devices(cast: Cast, rates: Mapping[str, float], date: int, midnight: int) -> Windows:
    limits = np.cumsum([rates.get(name, 0.0) for name in _NAMES])
    if not limits[-1]:
        return Windows.of([])
    chance = draw(cast.key, "fault", date)
    rows = np.flatnonzero(chance < limits[-1])
    what = np.searchsorted(limits, chance[rows], "right")
    able = np.zeros(len(cast), bool)
    for role in cast.roles:
        able[role.rows] = role.kind in _SENSORS
    measured = (what == _NAMES.index("stuck")) | (what == _NAMES.index("drifting"))
    fits: Bool = ~measured | able[rows]
    rows, what = rows[fits], what[fits]
    key = cast.key[rows]
    start = midnight + ((0.5 + 13.5 * draw(key, "fault at", date)) * HOUR_MS).astype(np.int64)
    hours = np.array([_HOURS.get(name, 1.0) for name in _NAMES])[what]
    lasting = hours * (0.5 + draw(key, "faulty", date)) * HOUR_MS
    return Windows(rows, start, start + lasting.astype(np.int64), what)


def _outages(cast: Cast, rates: Mapping[str, float], date: int, midnight: int) -> Windows:
    key = cast.relays.key
    used = np.bincount(cast.relay, minlength=len(key)) > 0
    rows = np.flatnonzero(used & (draw(key, "outage", date) < rates.get("gateway_outage", 0.0)))
    start = midnight + ((1 + 20 * draw(key[rows], "outage at", date)) * HOUR_MS).astype(np.int64)
    lasting = (10 + 50 * draw(key[rows], "outage lasts", date)) * MINUTE_MS
    return Windows(rows, start, start + lasting.astype(np.int64), np.zeros(len(rows), np.int64))


def _within(span: Span, windows: Windows) -> Windows:
    begun = windows.start < -(-span.end // 1_000)
    return windows.only(begun & (windows.until >= span.start // 1_000))


def _joined(parts: list[Windows]) -> Windows:
    return Windows(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("rows", "start", "until", "what")
        )
    )


def _away_from(incidents: Windows, windows: Windows, rows: I64 | I32) -> Windows:
    """The windows in which no incident of the same row begins, ends or lasts; nor just before."""
    last = incidents.last(rows, windows.until + HOUR_MS)
    some = last >= 0
    busy = np.zeros(len(rows), bool)
    busy[some] = incidents.until[last[some]] >= windows.start[some] - HOUR_MS
    return windows.only(~busy)


def _clear_of(shown: Windows, outages: Windows) -> Windows:
    """Outages in which no incident lies: those may overlap, so each is looked at."""
    free = np.ones(len(outages.rows), bool)
    for n, (relay, start, until) in enumerate(
        zip(outages.rows.tolist(), outages.start.tolist(), outages.until.tolist(), strict=True)
    ):
        near = (shown.rows == relay) & (shown.start <= until + HOUR_MS)
        free[n] = not (near & (shown.until >= start - HOUR_MS)).any()
    return outages.only(free)


NO_FAULTS: Mapping[str, float] = MappingProxyType({})
"""Rates of 0: nothing goes wrong."""
