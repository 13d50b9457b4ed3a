"""The reference: the same rules as a plain loop over single readings, with dicts and a heap.

What somebody would write who has not thought of columns, and written to be quick: each condition is
a tree of closures made once, a metric leads straight to the rules that look at it, who is calm and
was calm costs a look at two numbers, and timers wait in a heap. It says what `rules.evaluate` says;
tests.rules.oracle is slower and says the same more plainly.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import chain
from operator import itemgetter

from devices.instant import FOREVER, Micros
from devices.reading import Reading
from rules.plan import Plan
from rules.transition import Transition
from tests.bench_rules.ears import Ears
from tests.bench_rules.track import HEARTBEAT, Key, Row, Track
from tests.bench_rules.tracks import track_of
from tests.rules.oracle_quiet import Quiet

_DEVICE, _TIME = itemgetter(3), itemgetter(0)


class Plain:
    """Judges batches as `rules.evaluate` does; keeps its own state."""

    def __init__(self, plan: Plan, now: Micros) -> None:
        self.ears = Ears(plan, now)
        self.tracks = [track_of(self.ears, own, i, now) for i, own in enumerate(plan.rules)]
        self._judges: dict[int, list[Track]] = defaultdict(list)
        self._hearers: dict[int, list[Track]] = defaultdict(list)
        self._readers: dict[int, list[Track]] = defaultdict(list)
        for track in self.tracks:
            where = self._hearers if track.by_hearing else self._judges
            for metric in track.own.metrics:
                (self._readers if track.whole else where)[metric].append(track)
        self._restless: dict[int, set[Track]] = defaultdict(set)
        self._looks: list[tuple[Micros, int, Key]] = []
        self._planned: dict[tuple[int, Key], Micros] = {}
        self._quiet = Quiet(plan) if plan.inhibited else None
        for number, track in enumerate(self.tracks):
            track.restless = self._restless
            for key in track.from_the_start():
                self._plan_look(number, key, now)

    def evaluate(self, readings: Sequence[Reading], now: Micros) -> list[Transition]:
        """Fold these readings, then let timers fire up to `now`; sorted by `at`, stably."""
        rows = self._rows(readings, now)
        self._gateways(rows)
        self._instants(rows)
        self._hear_for_absences(rows)
        self.ears.settle()
        self._tick(now)
        each = {number: track.take_said() for number, track in enumerate(self.tracks)}
        if self._quiet:
            each = self._quiet.told(each, now, {})
            self._quiet.end(each)
        said = [t for t in chain.from_iterable(each.values()) if t.rule.told]
        said.sort(key=lambda transition: transition.at)
        return said

    def _rows(self, readings: Sequence[Reading], now: Micros) -> list[Row]:
        """By time; those of devices that are known. Notes how far each device is behind."""
        ears, ahead = self.ears.by_device, _ahead(readings)
        rows, offline = [], False
        for time, arrival, device, metric, value, token, issue in readings:
            if device in ears:
                moved = time - ahead.get((device, arrival), 0) if ahead else time
                heard = max(moved, min(arrival, now))
                off = metric == HEARTBEAT and value == 0
                offline |= off
                rows.append(
                    Row(moved, off, time, device, metric, value, heard, arrival, token, issue)
                )
        rows.sort(key=itemgetter(0, 2) if ahead else _TIME)
        self.ears.heard = {row[3] for row in rows}
        self._lags(rows)
        if offline:
            rows = [row if not row.offline else self._in_its_time(row) for row in rows]
            rows.sort(key=itemgetter(0, 1))
        return rows

    def _lags(self, rows: Iterable[Row]) -> None:
        """How far behind each device is after this batch, by the last that it said itself."""
        ears, lags = self.ears.by_device, self.ears.lags
        last: dict[int, Row] = {}
        for row in rows:
            if not row[1]:
                other = last.get(row[3])
                if other is None or row[0] > other[0] or row[2] > other[2] or row[7] >= other[7]:
                    last[row[3]] = row
        for row in last.values():
            time, _, _, device, _, _, heard, arrival, _, _ = row
            ear = ears[device]
            if not ear.spoke or time > ear.alive:
                lags[device] = max(min(ear.lag, arrival - time), heard - time)

    def _in_its_time(self, row: Row) -> Row:
        """'offline' is dated by the broker."""
        lag = self.ears.lags.get(row.device, self.ears.by_device[row.device].lag)
        return row._replace(time=min(row.time, row.heard - lag))

    def _gateways(self, rows: Iterable[Row]) -> None:
        """What gateways say is known before what others say is judged."""
        if self.ears.behind:
            for row in rows:
                if row[3] in self.ears.behind:
                    self.ears.hear_gateway(row.device, row.time, row.heard, offline=row.offline)

    def _instants(self, rows: list[Row]) -> None:
        start, n = 0, len(rows)
        while start < n:
            time, stop = rows[start][0], start + 1
            while stop < n and rows[stop][0] == time:
                stop += 1
            self._instant(time, rows[start:stop])
            start = stop

    def _instant(self, time: Micros, rows: list[Row]) -> None:
        """All of one instant are judged by what had been heard before it."""
        if len(rows) > 1:
            rows.sort(key=_DEVICE)
        last = -1
        for row in rows:
            if (device := row[3]) != last:
                last = device
                if device in self._restless:
                    self._return(device, time, rows)
        judges, readers = self._judges, self._readers
        for row in rows:
            for track in judges.get(row[4], ()):
                track.judge(row[3], time, row[5])
            for track in readers.get(row[4], ()):
                track.read(row)
        ears, told = self.ears.by_device, None
        for row in rows:
            if (word := (row[3], row[1])) != told:
                ears[row[3]].hear(time, offline=row[1])
                told = word

    def _return(self, device: int, time: Micros, rows: Iterable[Row]) -> None:
        ear = self.ears.by_device[device]
        alive = any(not row.offline for row in rows if row.device == device)
        for track in sorted(self._restless[device], key=lambda track: track.number):
            later = not ear.known(beats=track.beats) or time > ear.said(beats=track.beats)
            if (alive or track.beats) and later:
                track.returned(device, time)

    def _hear_for_absences(self, rows: list[Row]) -> None:
        """Absence goes by when a reading was heard, not by its own time."""
        hearers = self._hearers
        heard = [row for row in rows if row[4] in hearers]
        heard.sort(key=itemgetter(6, 3, 0))
        for row in heard:
            for track in hearers[row[4]]:
                track.hear(row[3], row[6], row[5], offline=row[1])

    def _tick(self, now: Micros) -> None:
        """Look at whom something happened to, and at those whose moment has come."""
        ripe: dict[tuple[int, Key], None] = {}
        for track in self.tracks:
            for key in track.take_changed():
                ripe[track.number, key] = None
            track.clock(now)
        for device in self.ears.touched():
            for track in self._restless.get(device, ()):
                ripe[track.number, track.subject[device]] = None
        while self._looks and self._looks[0][0] <= now:
            moment, number, key = heappop(self._looks)
            if self._planned.get((number, key)) == moment:
                del self._planned[number, key]
                ripe[number, key] = None
        for number, key in ripe:
            moment = self.tracks[number].tick(key, now)
            if moment < FOREVER:
                self._plan_look(number, key, moment)

    def _plan_look(self, number: int, key: Key, moment: Micros) -> None:
        if moment < self._planned.get((number, key), FOREVER):
            self._planned[number, key] = moment
            heappush(self._looks, (moment, number, key))


def _ahead(readings: Iterable[Reading]) -> dict[tuple[int, Micros], Micros]:
    """How far the messages from the future are ahead; readings of one arrival are one message."""
    ahead: dict[tuple[int, Micros], Micros] = {}
    for time, arrival, device, *_ in readings:
        if time > arrival:
            ahead[device, arrival] = max(ahead.get((device, arrival), 0), time - arrival)
    return ahead
