"""Messages in, columns out: what can be stored, and what cannot with the reason. Pure.

A message's good parts are stored even where another part of it is bad; the whole payload is then
kept as rejected too, marked partial. A reading without a time of its own is dated by its arrival.
Attributes beside no momentary metric become one event of the metric `attributes`.

A format with a memory is read by what was announced before; what it announces is noted, and becomes
part of the memory with the batch. A message of it that came before is not read again: what it said
is stored or refused already, and the memory has gone on since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import orjson

from devices import formats
from devices.errors import FormatError, ImpossibleTimeError, RejectReason, UnknownDeviceError
from devices.formats.memory import NOTHING, Memory, Notes
from devices.instant import SECOND, Micros, to_datetime
from devices.inventory import Device, Inventory
from devices.metric import BY_ID, BY_NAME, UnknownMetricError, metric
from devices.reading import F64, I32, Batch, Json, Observation, concatenate
from devices.token import NO_ISSUE, NOBODY, issue_of, token_of
from devices.topic import UpTopic, parse
from ingest import flat
from ingest.columns import digests, distinct, highest, momentary, possible
from ingest.conduct import contradicting
from ingest.decoded import DETAIL, Decoded, Rejection
from ingest.message import RawMessage

_IDS = {name: m.id for name, m in BY_NAME.items()}
_MOMENTARY = frozenset(name for name, m in BY_NAME.items() if m.momentary)
_ATTRIBUTES = BY_NAME["attributes"].id
_NOTHING = b"{}"
_ADDRESS = 200
"""Characters of an unknown device's address that are kept."""
_UNKNOWN = 100
"""Unknown devices of one message that are kept."""
_PROBLEMS = 8
"""Unknown metrics of one message that are explained: looking for the nearest name takes time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Which times are possible. earliest: µs since the Unix epoch, UTC · max_ahead: µs."""

    earliest: Micros
    max_ahead: Micros


def decode(
    messages: Sequence[RawMessage], inventory: Inventory, limits: Limits, memory: Memory = NOTHING
) -> Decoded:
    """What these messages say, checked against the inventory, the metrics and the limits.

    memory: what was announced before them. The plainest messages are read in bulk.
    """
    read = flat.read(messages, inventory, limits.earliest, limits.max_ahead)
    rows = _Rows(inventory, limits, memory)
    for index in read.left:
        rows.add(index, messages[index])
    return rows.columns(messages, read)


def decode_singly(
    messages: Sequence[RawMessage], inventory: Inventory, limits: Limits, memory: Memory = NOTHING
) -> Decoded:
    """The same as `decode`, each message for itself: slower, and what `decode` is tested by."""
    rows = _Rows(inventory, limits, memory)
    for index, message in enumerate(messages):
        rows.add(index, message)
    return rows.columns(messages, flat.read((), inventory, limits.earliest, limits.max_ahead))


class _Rows:
    """Rows while they are gathered, message by message, and what is wrong with each message."""

    def __init__(self, inventory: Inventory, limits: Limits, memory: Memory) -> None:
        self._inventory = inventory
        self._limits = limits
        self._notes = Notes(memory)
        self._with_memory: list[int] = []
        self._repeated: list[int] = []
        self._device: dict[int, int] = {}
        self._rows: list[tuple[Micros, Micros, int, int, float, int, int]] = []
        self._attributes = [_NOTHING]
        self._tokens = [NOBODY]
        self._issues = [NO_ISSUE]
        self._problems: dict[int, list[FormatError]] = {}

    def add(self, index: int, message: RawMessage) -> None:
        try:
            self._read(index, message)
        except FormatError as error:
            self._reject(index, error)

    def columns(self, messages: Sequence[RawMessage], read: flat.Flat) -> Decoded:
        time, arrival, device, number, value, message, attributes = (
            zip(*self._rows, strict=True) if self._rows else ((),) * 7
        )
        batch = Batch(
            np.array(time, np.int64),
            np.array(arrival, np.int64),
            np.array(device, np.int32),
            np.array(number, np.int16),
            np.array(value, np.float64),
        )
        facts: I32 = np.array(attributes, np.int32)
        token = np.array(self._tokens, np.int64)[facts]
        issue = np.array(self._issues, np.int32)[facts]
        occurs = momentary(batch)
        # A state or a measurement is kept without attributes, so it names nobody after a restart.
        batch = replace(batch, token=token * occurs, issue=issue * occurs)
        owner: I32 = np.array(message, np.int32)
        if len(read.rows):
            owner = np.concatenate((read.message, owner))
            facts = np.concatenate((np.zeros(len(read.rows), np.int32), facts))
            batch = concatenate((read.rows, batch))
            if self._rows:
                order = np.argsort(owner, kind="stable")
                batch, owner, facts = batch.take(order), owner[order], facts[order]
        return self._sort_out(messages, batch, owner, facts, self._devices(messages, read))

    def _devices(self, messages: Sequence[RawMessage], read: flat.Flat) -> I32:
        device: I32 = np.zeros(len(messages), np.int32)
        device[: len(read.device)] = read.device
        device[list(self._device)] = list(self._device.values())
        return device

    def _read(self, index: int, message: RawMessage) -> None:
        topic = parse(message.topic)
        device = None
        if topic.device is not None:
            device = self._find(topic.community, topic.device)
            self._device[index] = device.id
        for seen in self._understood(index, topic, message):
            for problem in seen.problems:
                self._reject(index, problem)
            try:
                self._observe(
                    index, message.arrival, self._source(index, topic, device, seen), seen
                )
            except FormatError as error:
                self._reject(index, error)

    def _understood(self, index: int, topic: UpTopic, message: RawMessage) -> Sequence[Observation]:
        read = formats.WITH_MEMORY.get(topic.format)
        if read is None or topic.community not in self._inventory.communities:
            return formats.decode(topic, message.payload)
        self._with_memory.append(index)
        if message.repeated:
            self._repeated.append(index)
            return ()
        return read(topic, message.payload, self._notes, message.arrival)

    def _source(
        self, index: int, topic: UpTopic, device: Device | None, seen: Observation
    ) -> Device:
        if device is None:
            device = self._find_address(topic.community, seen.device)
            self._device.setdefault(index, device.id)
        elif seen.device != device.code:
            what = f"payload names device {seen.device!r}, the topic {device.code!r}"
            raise FormatError(RejectReason.TOPIC_MISMATCH, what)
        return device

    def _find(self, community: str, code: str) -> Device:
        device = self._inventory.find(community, code)
        if device is None:
            what = f"no device {code!r} in community {community!r}"
            raise UnknownDeviceError(community, code, what)
        return device

    def _find_address(self, community: str, address: str) -> Device:
        if not address:
            raise FormatError(RejectReason.UNKNOWN_DEVICE, "the message names no device")
        device = self._inventory.find_address(community, address)
        if device is None:
            address = address[:_ADDRESS]
            what = f"no device in community {community!r} has the address {address!r}"
            raise UnknownDeviceError(community, address, what)
        return device

    def _observe(self, index: int, arrival: Micros, device: Device, seen: Observation) -> None:
        time = arrival if seen.time is None else seen.time
        _check_time(device.id, time, arrival, self._limits)
        attributes = 0
        if seen.attributes:
            attributes = len(self._attributes)
            self._attributes.append(_canonical(seen.attributes))
            self._tokens.append(token_of(seen.attributes))
            self._issues.append(issue_of(seen.attributes))
        for name, value in seen.values.items():
            number = _IDS.get(name)
            if number is None:
                self._reject_metric(index, name)
            else:
                self._rows.append((time, arrival, device.id, number, value, index, attributes))
        if seen.attributes and _MOMENTARY.isdisjoint(seen.values):
            self._rows.append((time, arrival, device.id, _ATTRIBUTES, 1.0, index, attributes))

    def _sort_out(
        self, messages: Sequence[RawMessage], rows: Batch, message: I32, facts: I32, device: I32
    ) -> Decoded:
        high = highest(rows, self._inventory)
        good = possible(rows, high)
        self._reject_values(rows, high, message, np.flatnonzero(~good).tolist())
        usable = np.bincount(message[good], minlength=len(messages)) > 0
        usable[self._repeated] = True
        occurs = momentary(rows)
        reading, event = np.flatnonzero(good & ~occurs), np.flatnonzero(good & occurs)
        kept = distinct(rows.take(reading))
        contradictions = contradicting(rows.take(reading), kept)
        reading = reading[kept]
        attributes = [self._attributes[i] for i in facts[event].tolist()]
        digest = digests(rows.value[event], attributes)
        first = distinct(rows.take(event), digest)
        attributes = [a for a, new in zip(attributes, first.tolist(), strict=True) if new]
        event, digest = event[first], digest[first]
        return Decoded(
            messages=messages,
            device=device,
            usable=usable,
            readings=rows.take(reading),
            reading_message=message[reading],
            events=rows.take(event),
            event_message=message[event],
            attributes=tuple(attributes),
            digest=digest,
            rejections=self._rejections(usable.tolist()),
            changes=self._notes.changes,
            commands=self._notes.commands,
            with_memory=tuple(self._with_memory),
            contradicting=contradictions,
        )

    def _reject(self, message: int, error: FormatError) -> None:
        self._problems.setdefault(message, []).append(error)

    def _reject_metric(self, message: int, name: str) -> None:
        if len(self._problems.get(message, ())) < _PROBLEMS:
            try:
                metric(name[:64])
            except UnknownMetricError as error:
                self._reject(message, FormatError(RejectReason.UNKNOWN_METRIC, str(error)))

    def _reject_values(self, rows: Batch, high: F64, message: I32, bad: Sequence[int]) -> None:
        for row in bad:
            known = BY_ID[int(rows.metric[row])]
            what = (
                f"{known.name} {rows.value[row]:g} is outside"
                f" {known.low:g} to {high[row]:g} {known.unit}"
            )
            self._reject(int(message[row]), FormatError(RejectReason.OUT_OF_RANGE, what))

    def _rejections(self, usable: Sequence[bool]) -> tuple[Rejection, ...]:
        return tuple(
            _rejection(message, problems, partial=usable[message])
            for message, problems in sorted(self._problems.items())
        )


def _rejection(message: int, problems: Sequence[FormatError], *, partial: bool) -> Rejection:
    unknown = [p for p in problems if isinstance(p, UnknownDeviceError)]
    return Rejection(
        message,
        problems[0].reason,
        "; ".join(p.detail for p in problems)[:DETAIL],
        partial=partial,
        community=unknown[0].community if unknown else None,
        unknown=tuple(dict.fromkeys(p.address for p in unknown))[:_UNKNOWN],
        impossible=tuple(
            {p.device: p.time for p in problems if isinstance(p, ImpossibleTimeError)}.items()
        ),
    )


def _canonical(attributes: Mapping[str, Json]) -> bytes:
    return orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)


def _check_time(device: int, time: Micros, arrival: Micros, limits: Limits) -> None:
    if time < limits.earliest:
        limit = f"before {_instant(limits.earliest)}; 'ts' counts milliseconds"
    elif time > arrival + limits.max_ahead:
        limit = f"more than {limits.max_ahead / SECOND:g} s after its arrival {_instant(arrival)}"
    else:
        return
    raise ImpossibleTimeError(device, time, f"time {_instant(time)} is {limit}")


def _instant(time: Micros) -> str:
    try:
        return to_datetime(time).isoformat()
    except OverflowError:
        return f"{time} µs"
