"""How fast the simulator is: `python -m tests.bench_simulator [--communities N] [--rounds N]`.

Run by hand. Prints the best and the median of some rounds, and each as a ratio to paho-mqtt's plain
publishing in the same round: the machine may be busy, and is not the same everywhere. CPU time is
the publisher's own; the wall clock also waits for the broker.
"""

import argparse
import resource
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from statistics import median
from zoneinfo import ZoneInfo

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from devices.instant import DAY, HOUR, to_micros
from devices.simulator.cast import Cast
from devices.simulator.city import Burst, City
from devices.simulator.daqing import COMMUNITIES, ELDERS, CityPlan
from devices.simulator.incidents import Incidence
from devices.simulator.parts import inventory_of
from devices.simulator.publish import Address, Publisher
from devices.simulator.rhythm import Span
from tests.services import choose

ZONE = ZoneInfo("Asia/Shanghai")
START = to_micros(datetime(2026, 3, 2, 8, tzinfo=ZONE))
MESSAGES = 200_000
BY_PAHO = 20_000
WINDOW = 1_000

Rates = tuple[float, float]
"""Messages a second of wall clock, and of the publisher's CPU time."""


def timed(count: int, work: Callable[[], int]) -> Rates:
    """Rates of this work, which returns how many messages it dealt with."""
    began, cpu = time.perf_counter(), time.process_time()
    done = work()
    assert done >= count
    return done / (time.perf_counter() - began), done / (time.process_time() - cpu)


def bursts(city: City, count: int) -> Iterator[Burst]:
    """The first slices that hold so many messages."""
    for burst in city.bursts():
        yield burst
        count -= len(burst.payload)
        if count <= 0:
            return


def generated(city: City, count: int) -> int:
    """Messages made and forgotten."""
    return sum(len(burst.payload) for burst in bursts(city, count))


def published(city: City, url: str, count: int, connections: int) -> int:
    """Messages made and acknowledged."""
    with Publisher(Address.parse(url), connections=connections, window=WINDOW) as publisher:
        for burst in bursts(city, count):
            publisher.publish_all(burst.row.tolist(), burst.topic, burst.payload)
        publisher.drain()
        return publisher.accepted


def by_paho(url: str, topics: list[str], payloads: list[bytes]) -> int:
    """Already made messages, published with paho-mqtt and as large a window."""
    address = Address.parse(url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(WINDOW)
    room, done = threading.Semaphore(WINDOW), threading.Semaphore(0)

    def acknowledged(*_: object) -> None:
        room.release()
        done.release()

    client.on_publish = acknowledged
    client.connect(address.host, address.port)
    client.loop_start()
    for topic, payload in zip(topics, payloads, strict=True):
        room.acquire()
        client.publish(topic, payload, qos=1)
    for _ in payloads:
        done.acquire()
    client.disconnect()
    client.loop_stop()
    return len(payloads)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--communities", type=int, default=COMMUNITIES)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    began = time.perf_counter()
    plan = CityPlan(options.communities, options.communities * ELDERS // COMMUNITIES)
    cast = Cast.of(map(inventory_of, plan.parts()), 1)
    city = City(cast, Span(START, START + DAY, ZONE), incidence=Incidence(0.01))
    took = time.perf_counter() - began
    print(f"{len(cast)} devices of {plan.communities} communities made in {took:.1f} s")
    sample = next(iter(City(cast, Span(START, START + HOUR, ZONE)).bursts(60_000)))
    topics = [topic.decode() for topic in sample.topic[:BY_PAHO]]
    payloads = sample.payload[:BY_PAHO]
    provider = choose.provider()
    try:
        url = provider.mosquitto().url
        measure(options.rounds, city, lambda: by_paho(url, topics, payloads), len(payloads), url)
    finally:
        provider.close()


def measure(rounds: int, city: City, paho: Callable[[], int], count: int, url: str) -> None:
    """All of it, so many times."""
    works: dict[str, tuple[int, Callable[[], int]]] = {
        "paho-mqtt alone": (count, paho),
        "generation alone": (MESSAGES, lambda: generated(city, MESSAGES)),
        "both, 1 connection": (MESSAGES, lambda: published(city, url, MESSAGES, 1)),
        "both, 8 connections": (MESSAGES, lambda: published(city, url, MESSAGES, 8)),
    }
    rates: dict[str, list[Rates]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, (least, work) in works.items():
            rates[name].append(timed(least, work))
    reference = rates["paho-mqtt alone"]
    print("messages/s               wall: best  median  × paho   of CPU: best  median  × paho")
    for name, own in rates.items():
        line = f"{name:22}"
        for clock in (0, 1):
            each = [one[clock] for one in own]
            ratio = median(a / b[clock] for a, b in zip(each, reference, strict=True))
            line += f"  {max(each):12.0f} {median(each):8.0f} {ratio:7.1f}"
        print(line)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    print(f"most memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
