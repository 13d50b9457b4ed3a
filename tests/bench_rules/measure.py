"""What is measured, for one number of devices."""

import gc
import time
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

from devices.reading import Batch
from gridwarden.rule_library import library_texts
from rules.evaluate import advance
from rules.loader import load
from rules.memory import columns_of
from rules.model import Rule
from rules.plan import Plan, make_plan, without
from rules.state import State, dump, fresh, restore
from rules.transition import Transition
from tests.bench_ingest.tell import tell
from tests.bench_rules.city import BEGIN, Stream, inventory
from tests.bench_rules.plain import Plain
from tests.bench_rules.tracks import judges
from tests.rules.oracle import by_subject

LIBRARY = Path("examples/site/rules")
PASSES = 2
"""In which everything is heard before it is measured."""
WARM_UP = 10_000

T = TypeVar("T")


def library() -> tuple[Rule, ...]:
    """The rules of the example site."""
    files = {str(path): path.read_text("utf-8") for path in sorted(LIBRARY.glob("*.yaml"))}
    return load(files, library_texts())


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
        self.plan = known_to_both(make_plan(rules, inventory(devices)))
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
        for _ in range(-(-self.devices * passes * 9 // 4 // WARM_UP)):
            (batch,) = self.stream.batches(WARM_UP, 1)
            self._judge(batch)
        gc.collect()
        grown = (resident("VmRSS") - before) * 2**20 / self.devices
        self._tell("state", grown, "bytes/device", columns=column_bytes(self.state) / self.devices)
        self._tell("memory", resident("VmRSS"), "MiB", most=round(resident("VmHWM"), 1))

    def save(self) -> None:
        """A snapshot and back."""
        saving, reading = Took(), Took()
        data = saving.over(lambda: dump(self.state, self.plan))
        state, withdrawn = reading.over(lambda: restore(data, self.plan, self.now))
        assert not withdrawn
        assert dump(state, self.plan) == data
        self._tell("dump", saving.wall, "s", of_cpu=round(saving.cpu, 3), bytes=len(data))
        self._tell("restore", reading.wall, "s", of_cpu=round(reading.cpu, 3))

    def compare(self, sizes: Sequence[int], rounds: int, readings: int) -> None:
        """Both in turn over batches of these sizes, at least so many readings in each round."""
        plain = Plain(self.plan, BEGIN)
        self.state, self.stream, self.now = fresh(self.plan, BEGIN), Stream(self.devices), BEGIN
        for _ in range(-(-self.devices * PASSES * 9 // 4 // WARM_UP)):
            self._round(plain, WARM_UP, WARM_UP)
        gc.collect()
        gc.freeze()
        measured = {size: list[Round]() for size in sizes}
        for _ in range(rounds):
            for size, each in measured.items():
                each.append(self._round(plain, size, readings))
        for size, each in measured.items():
            self._tell_rates(size, each)

    def judge_all(self, sizes: Sequence[int], rounds: int, readings: int) -> None:
        """The same stream with every rule, those too that the reference does not know."""
        self.plan = make_plan(self.rules, inventory(self.devices))
        self.state, self.stream, self.now = fresh(self.plan, BEGIN), Stream(self.devices), BEGIN
        for _ in range(-(-self.devices * PASSES * 9 // 4 // WARM_UP)):
            self._judge(*self.stream.batches(WARM_UP, 1))
        measured = {size: list[float]() for size in sizes}
        for _ in range(rounds):
            for size, rates in measured.items():
                rates.append(self._rate(size, -(-readings // size)))
        for size, rates in measured.items():
            rules = len(self.plan.rules)
            self._tell("advance_all", median(rates), "readings/s", batch=size, rules=rules)

    def _rate(self, size: int, count: int) -> float:
        """Readings per second of CPU time."""
        took = Took()
        for batch in self.stream.batches(size, count):
            took.over(partial(self._judge, batch))
        return size * count / took.cpu

    def _judge(self, batch: Batch) -> list[Transition]:
        self.now = int(batch.arrival[-1])
        done = advance(self.plan, batch, self.state, self.now)
        assert not done.failures, done.failures
        return done.transitions

    def _round(self, plain: Plain, size: int, readings: int) -> Round:
        ours, theirs, told = Took(), Took(), 0
        count = -(-readings // size)
        for batch in self.stream.batches(size, count):
            rows = batch.rows()
            said = ours.over(partial(self._judge, batch))
            expected = theirs.over(partial(plain.evaluate, rows, self.now))
            assert by_subject(said) == by_subject(expected), f"{len(said)}, {len(expected)}"
            told += len(said)
        return Round(size * count, ours, theirs, told)

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
        )

    def _tell(self, figure: str, value: float, unit: str, **more: object) -> None:
        tell(figure, round(value, 3), unit, devices=self.devices, **more)


def known_to_both(plan: Plan) -> Plan:
    """The plan without the rules of kinds, or with keys, that the reference does not know."""
    return without(plan, {own.rule.code for own in plan.rules if not judges(own)})


def column_bytes(state: State) -> int:
    """All columns, as if something were written everywhere in them."""
    columns = list(state.silence.kept().values())
    for memory in state.memories:
        columns += columns_of(memory).values()
    return sum(prod(column.shape) * column.dtype.itemsize for column in columns)
