"""What judging takes: `python -m tests.bench_rules [--quick] [--devices N ...]`; make bench-rules.

Run by hand; prints one JSON line per figure. Rates are also given as a ratio to a plain loop of
the same rounds (tests.bench_rules.plain), which must tell the same transitions: the machine may be
busy, and is not the same everywhere. Each number of devices is measured in a process of its own.
docs/performance.md says what each figure is.
"""

import argparse
import subprocess
import sys

from tests.bench_rules.backtest import LARGE, MONTH, backtest, replayed
from tests.bench_rules.measure import RULES, Bench

SIZES = (100, 1_000, 10_000, 100_000)
DEVICES = (100, 10_000, 1_000_000)


def measure(devices: int, options: argparse.Namespace) -> None:
    """All figures for so many devices, in this process."""
    bench = Bench(devices, RULES[options.rules]())
    bench.warm_up()
    bench.save()
    bench.compare(options.batches, options.rounds, options.readings, options.passes)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a minute: fewer of everything")
    parser.add_argument("--devices", type=int, nargs="+", help="how many there are, hundreds")
    parser.add_argument("--batches", type=int, nargs="+", default=SIZES, help="readings in each")
    parser.add_argument("--rounds", type=int, help="of each the median is told")
    parser.add_argument("--readings", type=int, help="in each round, at least")
    parser.add_argument("--hours", type=float, help="of the simulated city; 0: none")
    parser.add_argument("--rules", choices=list(RULES), default="library", help="which")
    parser.add_argument("--passes", type=int, help="of the stream before it is measured")
    parser.add_argument(
        "--days", type=float, help="of what is replayed; 1: a large day and a month; 0: none"
    )
    parser.add_argument("--here", action="store_true", help="one number of devices, this process")
    options = parser.parse_args()
    quick = options.quick
    options.devices = options.devices or (DEVICES[:2] if quick else DEVICES)
    options.rounds = options.rounds or (3 if quick else 7)
    options.readings = options.readings or (20_000 if quick else 100_000)
    options.passes = options.passes or (2 if quick else None)
    options.days = (0.04 if quick else 1.0) if options.days is None else options.days
    options.hours = (2.0 if quick else 24.0) if options.hours is None else options.hours
    if options.here:
        measure(options.devices[0], options)
        return
    for devices in options.devices:
        own = ["--devices", str(devices), "--rounds", str(options.rounds), "--here"]
        own += ["--readings", str(options.readings), "--batches", *map(str, options.batches)]
        own += ["--rules", options.rules]
        own += ["--passes", str(options.passes)] if options.passes else []
        subprocess.run([sys.executable, "-m", "tests.bench_rules", *own], check=True)
    if options.hours:
        backtest(options.hours)
    if options.days:
        for stretch in (LARGE, MONTH):
            replayed(stretch._replace(days=stretch.days * options.days))


if __name__ == "__main__":
    main()
