"""What is measured, for one number of devices."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

from devices.instant import HOUR
from devices.reading import Batch
from gridwarden.rule_library import library_texts
from rules.evaluate import advance
from rules.loader import load
from rules.memory import columns_of
from rules.model import Rule
from rules.plan import Plan, about, make_plan, per_of, without
from rules.state import State, dump, fresh, restore
from rules.transition import Transition
from tests.bench_ingest.tell import tell
from tests.bench_rules.city import BEGIN, PASS, ZONE, inventory
from tests.bench_rules.plain import Plain
from tests.bench_rules.stream import Stream
from tests.bench_rules.tracks import judges
from tests.rules.oracle import by_subject

EXAMPLE = Path("examples/site/rules")
PASSES = 2
"""In which everything is heard before it is measured."""
WARM_UP = 10_000
A_DAY = 26 * HOUR // PASS
"""Passes after which the longest window of a rule is full."""
FEW = 20_000
"""With no more devices than these a day goes by before it is measured."""

T = TypeVar("T")


def library() -> tuple[Rule, ...]:
    """The rules of the example site."""
    files = {str(path): path.read_text("utf-8") for path in sorted(EXAMPLE.glob("*.yaml"))}
    return load(files, library_texts())


def whole_library() -> tuple[Rule, ...]:
    """The library, nothing left out; what is not for the doors of homes is for two buildings."""
    texts = library_texts()
    names = ", ".join(name for text in texts if (name := Path(text).stem) != "offices")
    watch = "watch: {metric: access_granted, area: [b1, b99]}"
    ids = [rule.code for rule in load({"offices.yaml": "- library: offices\n"}, texts)]
    changes = "".join(f"    {id_}: {{{watch}}}\n" for id_ in ids)
    offices = f"- library: offices\n  change:\n{changes}"
    return load({"all.yaml": f"- library: [{names}]\n{offices}"}, texts)


RULES: Mapping[str, Callable[[], tuple[Rule, ...]]] = {
    "library": whole_library,
    "example": library,
}


def resident(what: str) -> float:
    """MiB of this process; what: VmHWM, the most so far, or VmRSS, now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{what}:"))
    return int(line.split()[1]) / 1_024


class Took:
    """Seconds by the clock, and of CPU, so far."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def over(self, work: Callable[[], T]) -> T:
        """Do this, and add what it takes."""
        began, cpu = time.perf_counter(), time.process_time()
        done = work()
        self.wall += time.perf_counter() - began
        self.cpu += time.process_time() - cpu
        return done


class Round(NamedTuple):
    """One round: what both took for so many readings, and how many transitions they told."""

    readings: int
    ours: Took
    plain: Took
    told: int


class Bench:
    """The evaluator, and the reference beside it, over one stream: both must say the same."""

    def __init__(self, devices: int, rules: Sequence[Rule]) -> None:
        self.devices, self.rules = devices, rules
        before = resident("VmRSS")
        began = time.perf_counter()
        self.plan = known_to_both(make_plan(rules, inventory(devices), ZONE))
        left_out = len(rules) - len(self.plan.rules)
        took = round(time.perf_counter() - began, 2)
        grown = resident("VmRSS") - before
        self._tell("memory_of_site_and_plan", grown, "MiB", took_s=took, left_out=left_out)
        self.state = fresh(self.plan, BEGIN)
        self.stream = Stream(devices)
        self.now = BEGIN

    def warm_up(self, passes: int = PASSES) -> None:
        """Every device speaks some times; what is in memory then."""
        before = resident("VmRSS")
        for batch in self._passes(passes):
            self._judge(batch)
        gc.collect()
        grown = (resident("VmRSS") - before) * 2**20 / self.devices
        self._tell("state", grown, "bytes/device", columns=column_bytes(self.state) / self.devices)
        self._tell("memory", resident("VmRSS"), "MiB", most=round(resident("VmHWM"), 1))

    def _passes(self, passes: int) -> Iterator[Batch]:
        """So many passes of the stream."""
        for _ in range(-(-self.devices * passes * 9 // 4 // WARM_UP)):
            yield from self.stream.batches(WARM_UP, 1)

    def save(self) -> None:
        """A snapshot and back."""
        saving, reading = Took(), Took()
        data = saving.over(lambda: dump(self.state, self.plan))
        state, withdrawn = reading.over(lambda: restore(data, self.plan, self.now))
        assert not withdrawn
        assert dump(state, self.plan) == data
        self._tell("dump", saving.wall, "s", of_cpu=round(saving.cpu, 3), bytes=len(data))
        self._tell("restore", reading.wall, "s", of_cpu=round(reading.cpu, 3))

    def compare(
        self, sizes: Sequence[int], rounds: int, readings: int, passes: int | None = None
    ) -> None:
        """Both in turn over batches of these sizes, at least so many readings in each round.

        passes: of the stream before that; by default a day, with many devices PASSES.
        """
        passes = passes or (A_DAY if self.devices <= FEW else PASSES)
        plain = Plain(self.plan, BEGIN)
        self.state, self.stream, self.now = fresh(self.plan, BEGIN), Stream(self.devices), BEGIN
        for batch in self._passes(passes):
            self._both(plain, batch, Took(), Took())
        gc.collect()
        gc.freeze()
        measured = {size: list[Round]() for size in sizes}
        for _ in range(rounds):
            for size, each in measured.items():
                each.append(self._round(plain, size, readings))
        for size, each in measured.items():
            self._tell_rates(size, each)

    def _judge(self, batch: Batch) -> list[Transition]:
        self.now = int(batch.arrival[-1])
        done = advance(self.plan, batch, self.state, self.now)
        assert not done.failures, done.failures
        return done.transitions

    def _round(self, plain: Plain, size: int, readings: int) -> Round:
        ours, theirs, told = Took(), Took(), 0
        count = -(-readings // size)
        for batch in self.stream.batches(size, count):
            told += self._both(plain, batch, ours, theirs)
        return Round(size * count, ours, theirs, told)

    def _both(self, plain: Plain, batch: Batch, ours: Took, theirs: Took) -> int:
        """Both judge this batch and say the same: so many transitions."""
        rows = batch.rows()
        said = ours.over(partial(self._judge, batch))
        expected = theirs.over(partial(plain.evaluate, rows, self.now))
        assert same(said, expected), f"{len(said)}, {len(expected)} at {self.now}"
        return len(said)

    def _tell_rates(self, size: int, rounds: Sequence[Round]) -> None:
        def rate(of: Callable[[Round], float]) -> int:
            return round(median(each.readings / of(each) for each in rounds))

        self._tell(
            "advance",
            rate(lambda each: each.ours.wall),
            "readings/s",
            batch=size,
            of_cpu=rate(lambda each: each.ours.cpu),
            plain=rate(lambda each: each.plain.wall),
            plain_of_cpu=rate(lambda each: each.plain.cpu),
            ratio=round(median(each.plain.wall / each.ours.wall for each in rounds), 2),
            ratio_of_cpu=round(median(each.plain.cpu / each.ours.cpu for each in rounds), 2),
            per_mille=round(
                1_000 * sum(r.told for r in rounds) / sum(r.readings for r in rounds), 2
            ),
            rules=len(self.plan.rules),
        )

    def _tell(self, figure: str, value: float, unit: str, **more: object) -> None:
        tell(figure, round(value, 3), unit, devices=self.devices, **more)


def same(ours: Iterable[Transition], theirs: Iterable[Transition]) -> bool:
    """Whether both tell the same of each subject in the same order.

    What is told of one device because of several names at one time has no order.
    """
    return _in_order(ours) == _in_order(theirs)


def _in_order(said: Iterable[Transition]) -> object:
    return {
        key: sorted(told, key=lambda t: (t.at, t.since, t.devices)) if _of_names(told[0]) else told
        for key, told in by_subject(said).items()
    }


def _of_names(transition: Transition) -> bool:
    rule = transition.rule
    return about(rule) is not per_of(rule).subject


def known_to_both(plan: Plan) -> Plan:
    """The plan without the rules of kinds, or with keys, that the reference does not know."""
    return without(plan, {own.rule.code for own in plan.rules if not judges(own)})


def column_bytes(state: State) -> int:
    """All columns, as if something were written everywhere in them."""
    columns = list(state.silence.kept().values())
    for memory in state.memories:
        columns += columns_of(memory).values()
    return sum(prod(column.shape) * column.dtype.itemsize for column in columns)
