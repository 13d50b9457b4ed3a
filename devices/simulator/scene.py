"""What every kind of device plays from: the cast, a slice of time within one local day, its plan.

Instants are whole milliseconds since the Unix epoch, UTC, as int64; a slice never crosses local
midnight. What was said is columns: which device, when, which metrics.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from devices.reading import F64, I32, I64, Bool
from devices.simulator.cast import Cast
from devices.simulator.chance import U64, bits
from devices.simulator.home import SLOT_MS, HomeDay

HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * HOUR_MS

Numbers: TypeAlias = npt.NDArray[Any]


class Lines(NamedTuple):
    """So many messages: each of `rows` says, at its instant (ms), a value of each of `names`.

    attributes: JSON of each, or None where there is none.
    """

    rows: I32
    at: I64
    names: tuple[str, ...]
    columns: tuple[Numbers, ...]
    attributes: list[bytes] | None = None

    def take(self, chosen: npt.NDArray[np.intp] | Bool) -> "Lines":
        """These of the messages, by index or by mask."""
        attributes = self.attributes
        if attributes is not None:
            index = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
            attributes = [attributes[i] for i in index.tolist()]
        columns = tuple(column[chosen] for column in self.columns)
        return Lines(self.rows[chosen], self.at[chosen], self.names, columns, attributes)


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Spans of time by row, no two of a row at once: start ≤ t ≤ until, ms; `what` is a number."""

    rows: I64
    start: I64
    until: I64
    what: I64
    _known: Bool = field(init=False, repr=False)
    _keys: I64 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        order = np.lexsort((self.start, self.rows))
        for name in ("rows", "start", "until", "what"):
            object.__setattr__(self, name, getattr(self, name)[order])
        known = np.zeros(int(self.rows.max(initial=-1)) + 2, bool)
        known[self.rows] = True  # the last stays False: it answers for NOWHERE and what is beyond
        object.__setattr__(self, "_known", known)
        object.__setattr__(self, "_keys", self.rows * 2**40 + (self.start - self._base))

    @classmethod
    def of(cls, spans: list[tuple[int, int, int, int]]) -> "Windows":
        """From (row, start, until, what)."""
        columns = np.array(spans, np.int64).reshape(-1, 4).T
        return cls(*columns)

    def only(self, chosen: Bool) -> "Windows":
        """Those of a mask."""
        return Windows(self.rows[chosen], self.start[chosen], self.until[chosen], self.what[chosen])

    @property
    def _base(self) -> int:
        return int(self.start.min()) if len(self.start) else 0

    def last(self, rows: npt.NDArray[Any], at: I64) -> I64:
        """For each row and instant the position of the last window that has begun, or -1."""
        found = np.full(len(rows), -1, np.int64)
        mine = np.flatnonzero(self._known[np.minimum(rows, len(self._known) - 1)])
        if not len(mine):
            return found
        since = np.clip(at[mine] - self._base, -1, 2**39)
        wanted = rows[mine].astype(np.int64) * 2**40 + since
        position = np.searchsorted(self._keys, wanted, "right") - 1
        same = (position >= 0) & (self.rows[np.maximum(position, 0)] == rows[mine])
        found[mine] = np.where(same, position, -1)
        return found

    def match(self, rows: npt.NDArray[Any], at: I64) -> I64:
        """For each row and instant the position of its window here, -1 where it is in none."""
        found = self.last(rows, at)
        begun = np.flatnonzero(found >= 0)
        over = at[begun] > self.until[found[begun]]
        found[begun[over]] = -1
        return found


NO_WINDOWS: Final = Windows.of([])


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """start ≤ t < end, ms, within the local day that began at `midnight` and is number `date`."""

    start: int
    end: int
    midnight: int
    date: int

    def hour(self, at: I64) -> F64:
        """Hours since local midnight."""
        return (at - self.midnight) / HOUR_MS

    def slots(self) -> range:
        """The slots of the day that overlap with this."""
        first = (self.start - self.midnight) // SLOT_MS
        return range(first, -(-(self.end - self.midnight) // SLOT_MS))

    def holds(self, at: I64) -> Bool:
        """Which of these instants lie within."""
        inside: Bool = (at >= self.start) & (at < self.end)
        return inside


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything that a kind of device may look at.

    down: homes in which somebody lies helpless · meters: what their meters showed when that began
    and, had it not, when it ended · stuck: devices whose sensor stands still · plans: what was
    planned for this date.
    """

    cast: Cast
    now: Slice
    home_day: HomeDay
    down: Windows
    meters: tuple[F64, F64]
    stuck: Windows
    plans: dict[str, Any]

    def sensed(self, rows: I32, at: I64) -> I64:
        """The instant that a sensor's value is of: its own, or when it got stuck."""
        position = self.stuck.match(rows, at)
        return np.where(
            position < 0, at, self.stuck.start[position] if len(self.stuck.start) else 0
        )

    def plan(self, name: str, make: Callable[["Scene"], Any]) -> Any:
        """Something planned once per date."""
        if name not in self.plans:
            self.plans[name] = make(self)
        return self.plans[name]


def periodic(
    keys: U64, rows: I32, period: I64, now: Slice, purpose: str
) -> Iterator[tuple[I32, I64]]:
    """Rows and instants about `period` ms apart, each up to 3 % of it late, from a phase of their
    own on: the phase is of the epoch, so that one run goes on where another ended.
    """
    late = np.maximum(1, period * 3 // 100)
    phase = (bits(keys, purpose) % period.astype(np.uint64)).astype(np.int64)
    count = (now.start - late - phase) // period + 1
    while len(rows):
        base = phase + count * period
        maybe = base < now.end
        if not maybe.any():
            return
        if not maybe.all():
            keys, rows, period, late = keys[maybe], rows[maybe], period[maybe], late[maybe]
            phase, count, base = phase[maybe], count[maybe], base[maybe]
        delay = bits(keys, f"{purpose} late", count) % late.astype(np.uint64)
        at = base + delay.astype(np.int64)
        inside = now.holds(at)
        if inside.any():
            yield rows[inside], at[inside]
        count = count + 1


def every(scene: Scene, rows: I32, period: I64, purpose: str) -> tuple[I32, I64]:
    """As `periodic`, all of the slice at once."""
    found = list(periodic(scene.cast.key[rows], rows, period, scene.now, purpose))
    if not found:
        return np.zeros(0, np.int32), np.zeros(0, np.int64)
    return np.concatenate([r for r, _ in found]), np.concatenate([t for _, t in found])
