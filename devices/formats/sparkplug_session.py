"""Sparkplug B with a memory: what an edge node announced, and whether a message is missing. Pure.

Kept are, for each edge node, the numbers of its session and of its last message, and for the node
and each device behind it the metrics of its BIRTH that mean one of ours: name, alias, datatype,
unit. So an alias is understood, a missing message is seen, and the death of a node is that of its
devices.

Where something is missing, the node is asked for its births again (specification, 6.4.30): an NCMD
with `Node Control/Rebirth`. At most one goes out in `ASK_AGAIN`, and twice as long is waited after
each that brought no NBIRTH, up to `ASK_SELDOM`. Whether one is due is decided by the arrival of a
message that needs it: a node that says nothing is asked nothing.

Data before the birth is refused: its unit is told by the birth alone. Only a call for help (sos,
fall) that is named is kept, with that problem beside it.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from devices.errors import FormatError
from devices.formats.fields import bad, nothing, short
from devices.formats.memory import Entry, Key, Notes
from devices.formats.sparkplug import (
    CALLS,
    NAMESPACE,
    Births,
    Known,
    Place,
    announced,
    dead,
    find_session_number,
    meant,
    observed,
    place_of,
    session_number,
    with_problems,
)
from devices.formats.sparkplug_message import Payload, message_class, read
from devices.instant import HOUR, SECOND, Micros
from devices.reading import Observation
from devices.topic import UpTopic

FORMAT = "sparkplug"
ASK_AGAIN: Micros = 30 * SECOND
"""The least time between two requests for one node's births; this project's choice."""
ASK_SELDOM: Micros = HOUR
"""The longest that is waited between two of them."""

_NODE, _BIRTHS = "node ", "births "
_MESSAGE: Any = message_class()
_BOOLEAN = 11


@dataclass(frozen=True, slots=True)
class Node:
    """Where the session of an edge node stands.

    last: sequence number of its last message, None before its birth · number: its bdSeq ·
    asked: when its births were last asked for, µs UTC · asks: how often since the last NBIRTH.
    """

    last: int | None = None
    number: int | None = None
    rebirth_needed: bool = False
    asked: Micros | None = None
    asks: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def dump(self) -> bytes:
        """As it is kept."""
        return orjson.dumps(
            [self.last, self.number, self.rebirth_needed, self.asked, self.asks],
        )


@dataclass(frozen=True, slots=True)
class Born:
    """The births of a node, or of a device behind it."""

    node: str
    births: Births = field(default_factory=Births)

    @property
    def names(self) -> tuple[str, ...]:
        return (_name(self.node),)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Ours that it can give, in the order of its births."""
        said = (meant(name) for name in self.births.names)
        return tuple(dict.fromkeys(name for name in said if name))

    def dump(self) -> bytes:
        """As it is kept."""
        births = self.births
        aliases = [[alias, known.name] for alias, known in births.aliases.items()]
        names = [[known.name, known.datatype, known.unit] for known in births.names.values()]
        return orjson.dumps([self.node, names, aliases, sorted(births.others)])


def load(subject: str, kept: bytes) -> Entry:
    """What `dump` has made."""
    if subject.startswith(_NODE):
        return Node(*orjson.loads(kept))
    node, named, aliased, others = orjson.loads(kept)
    names = {name: Known(name, datatype, unit) for name, datatype, unit in named}
    aliases = {alias: names[name] for alias, name in aliased}
    return Born(node, Births(names, aliases, frozenset(others)))


def device_of(subject: str) -> str | None:
    """The device whose births this subject is; None for that of a session."""
    return subject.removeprefix(_BIRTHS) if subject.startswith(_BIRTHS) else None


def hear(topic: UpTopic, payload: bytes, notes: Notes, arrival: Micros) -> list[Observation]:
    """What a message says, with what was announced before; FormatError if it says nothing.

    arrival: µs since the Unix epoch, UTC. A request for births that is due goes to the notes.
    """
    place = place_of(topic.original)
    return Session(place.node, notes, topic.community).hear(topic, payload, arrival)


def rebirth_due(node: Node, now: Micros) -> bool:
    """True if a node is to be asked for its births at `now` (µs, UTC)."""
    if not node.rebirth_needed or node.asked is None:
        return node.rebirth_needed
    wait = min(ASK_SELDOM, ASK_AGAIN << min(max(node.asks - 1, 0), 10))
    return not 0 <= now - node.asked < wait


def rebirth_request(node: str, now: Micros) -> tuple[str, bytes]:
    """The topic, without ours in front, and the payload that ask a node for its births."""
    group, _, edge = node.partition("/")
    message = _MESSAGE(timestamp=max(0, now // 1_000))
    message.metrics.add(name="Node Control/Rebirth", datatype=_BOOLEAN, boolean_value=True)
    payload: bytes = message.SerializeToString()
    return f"{NAMESPACE}/{group}/NCMD/{edge}", payload


class Session:
    """One edge node's session, as the notes have it. Reads no clock and does no I/O.

    node: `{group}/{edge node}`. Messages are heard in the order in which they came. A missing one
    is a problem of the next: what came after it is kept, but a rebirth is needed to be sure of it.
    """

    def __init__(self, node: str, notes: Notes | None = None, community: str = "") -> None:
        self.node = node
        self._notes = Notes() if notes is None else notes
        self._community = community
        self._key = self._subject(_NODE, node)
        known = self._notes.get(self._key)
        self._state = known if isinstance(known, Node) else Node()

    @property
    def rebirth_needed(self) -> bool:
        """True from where something was missing up to the next NBIRTH."""
        return self._state.rebirth_needed

    def hear(self, topic: UpTopic, payload: bytes, arrival: Micros = 0) -> list[Observation]:
        """What a message says, with what was announced before; FormatError if it says nothing."""
        place = place_of(topic.original)
        if place.node != self.node:
            raise bad(f"topic {short(topic.original)} is of {place.node!r}, not of {self.node!r}")
        message = read(payload)
        try:
            return self._heard(place, message)
        finally:
            self._ask(arrival)
            self._notes.put(self._key, self._state)

    def _heard(self, place: Place, message: Payload) -> list[Observation]:
        if place.kind == "NDEATH":
            return self._died(message)
        if place.kind == "NBIRTH":
            return self._born(place, message)
        return self._continued(place, message)

    def _born(self, place: Place, message: Payload) -> list[Observation]:
        if message.seq is None or message.seq > 255:
            raise bad(f"sequence number {message.seq} of NBIRTH is not 0 to 255")
        births, problems = announced(message)
        self._forget()
        self._state = Node(message.seq, find_session_number(message), asked=self._state.asked)
        problems += self._announce(self.node, births)
        return with_problems(problems, observed(place, message, births))

    def _died(self, message: Payload) -> list[Observation]:
        number, mine = session_number(message), self._state.number
        if mine is not None and number != mine:
            raise nothing(f"the death of session {number}; session {mine} lives")
        silent = [self.node, *(device for device in self._forget() if device != self.node)]
        self._state = replace(self._state, last=None)
        return [Observation(device, None, {"heartbeat": 0.0}) for device in silent]

    def _continued(self, place: Place, message: Payload) -> list[Observation]:
        if self._births(self.node) is None:
            self._need()
            return self._called(
                place,
                message,
                bad(f"{place.kind} before the NBIRTH of {self.node!r}: a rebirth is needed"),
            )
        missing = self._counted(message)
        try:
            return with_problems(missing, self._said(place, message))
        except FormatError as error:
            text = "; ".join([*(problem.detail for problem in missing), error.detail])
            raise FormatError(error.reason, text) from None

    def _said(self, place: Place, message: Payload) -> list[Observation]:
        if place.death:
            self._notes.drop(self._subject(_BIRTHS, place.device))
            return [dead(place, message)]
        if place.birth:
            births, problems = announced(message)
            problems += self._announce(place.device, births)
            return with_problems(problems, observed(place, message, births))
        known = self._births(place.device)
        if known is None:
            self._need()
            why = bad(f"DDATA before the DBIRTH of {place.device!r}: a rebirth is needed")
            return self._called(place, message, why)
        for metric in message.metrics:
            if not metric.name and not _announces(known, metric.alias):
                self._need()
        return observed(place, message, known)

    def _called(self, place: Place, message: Payload, why: FormatError) -> list[Observation]:
        """A call for help in what is refused otherwise."""
        calls = [m for m in message.metrics if m.name and meant(m.name) in CALLS]
        try:
            seen = observed(place, replace(message, metrics=tuple(calls)), Births())
        except FormatError:
            raise why from None
        return (
            with_problems((why,), seen) if any(CALLS & o.values.keys() for o in seen) else _no(why)
        )

    def _counted(self, message: Payload) -> tuple[FormatError, ...]:
        """The problem of a sequence number that does not follow the last one."""
        last, seq = self._state.last, message.seq
        if seq is not None:
            self._state = replace(self._state, last=seq)
        if last is not None and seq == (last + 1) % 256:
            return ()
        self._need()
        return (bad(f"sequence number {seq} after {last}: a rebirth is needed"),)

    def _need(self) -> None:
        self._state = replace(self._state, rebirth_needed=True)

    def _ask(self, now: Micros) -> None:
        if rebirth_due(self._state, now):
            self._state = replace(self._state, asked=now, asks=self._state.asks + 1)
            where, payload = rebirth_request(self.node, now)
            self._notes.commands[self._community, FORMAT, where] = payload

    def _announce(self, device: str, births: Births) -> tuple[FormatError, ...]:
        """Remember; where there is no room, that is a problem beside what the BIRTH says."""
        try:
            self._notes.put(self._subject(_BIRTHS, device), Born(self.node, births))
        except FormatError as error:
            self._notes.drop(self._subject(_BIRTHS, device))
            return (error,)
        return ()

    def _births(self, device: str) -> Births | None:
        known = self._notes.get(self._subject(_BIRTHS, device))
        return known.births if isinstance(known, Born) else None

    def _forget(self) -> list[str]:
        """Forget all births of the node; whose they were, in order."""
        keys = self._notes.named(self._community, FORMAT, _name(self.node))
        for key in keys:
            self._notes.drop(key)
        return [key[2].removeprefix(_BIRTHS) for key in keys]

    def _subject(self, kind: str, of: str) -> Key:
        return self._community, FORMAT, kind + of


def _announces(births: Births, alias: int | None) -> bool:
    return alias in births.aliases or alias in births.others


def _name(node: str) -> str:
    return f"node {node}"


def _no(why: FormatError) -> list[Observation]:
    raise why
