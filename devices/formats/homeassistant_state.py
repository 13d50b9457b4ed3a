"""Home Assistant with a memory: states read by what was announced of them. Pure.

A message on a topic that announcements name gives what their entities say: several metrics of one
device, or of several. Two entities of one device that mean the same metric are both refused, unless
one of them is diagnostic (a sensor's own temperature) and the other is not. An announcement that
cannot be understood is kept as rejected and leaves the one before it alone; an empty one withdraws.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from devices.errors import FormatError
from devices.formats.fields import bad, nothing, short
from devices.formats.homeassistant import announced, decode, is_config
from devices.formats.homeassistant_entity import (
    Announcement,
    Entity,
    by_device,
    by_topic,
    entity,
)
from devices.formats.memory import Key, Notes
from devices.formats.template import State
from devices.instant import Micros
from devices.reading import Json, Observation
from devices.topic import UpTopic

FORMAT = "homeassistant"
_Sources: TypeAlias = dict[tuple[str, bool], set[tuple[str, str]]]
_PROBLEMS = 8
"""Problems of one message that are explained."""


def hear(topic: UpTopic, payload: bytes, notes: Notes, _arrival: Micros) -> list[Observation]:
    """What a message announces, or says by what was announced; FormatError where it is nothing."""
    if is_config(topic.original):
        return _announce(topic, payload, notes)
    told = _State(topic, payload, notes)
    entities = told.entities(by_topic(topic.original))
    return told.observed(entities) if entities else decode(topic, payload)


def _announce(topic: UpTopic, payload: bytes, notes: Notes) -> list[Observation]:
    key: Key = (topic.community, FORMAT, topic.original)
    if not payload.strip():
        notes.drop(key)
    seen = decode(topic, payload)
    entities = tuple(entity(one) for one in announced(topic.original, payload)[0])
    notes.put(key, Announcement(entities))
    refused = tuple(bad(one.refusal) for one in entities if one.refusal)
    return [replace(seen[0], problems=(*seen[0].problems, *refused)), *seen[1:]]


class _State:
    """One message on a topic that announcements name."""

    def __init__(self, topic: UpTopic, payload: bytes, notes: Notes) -> None:
        self._community, self._topic = topic.community, topic.original
        self._state = State(payload)
        self._notes = notes
        self._sources: dict[str, _Sources] = {}
        self._problems: list[FormatError] = []

    def entities(self, name: str) -> list[Entity]:
        """Those of the announcements that have this name."""
        found: list[Entity] = []
        for key in self._notes.named(self._community, FORMAT, name):
            known = self._notes.get(key)
            if isinstance(known, Announcement):
                found += known.entities
        return found

    def observed(self, entities: list[Entity]) -> list[Observation]:
        """What it says of each device."""
        values: dict[str, dict[str, float]] = defaultdict(dict)
        events: list[Observation] = []
        for one in entities:
            self._available(one, values[one.device])
            said = self._read(one)
            if said is None:
                continue
            value, facts = said
            if facts:
                events.append(Observation(one.device, None, {one.metric: value}, facts))
            else:
                values[one.device][one.metric] = value
        seen = [Observation(device, None, v) for device, v in values.items() if v] + events
        if not seen:
            raise self._problems[0] if self._problems else nothing("it tells no known metric")
        return [replace(seen[0], problems=tuple(self._problems)), *seen[1:]]

    def _available(self, one: Entity, values: dict[str, float]) -> None:
        for available in one.available:
            if available.topic == self._topic:
                try:
                    heartbeat = available.heartbeat(self._state)
                except FormatError as error:
                    self._wrong(error)
                    continue
                if heartbeat is not None:
                    values["heartbeat"] = min(heartbeat, values.get("heartbeat", heartbeat))

    def _read(self, one: Entity) -> tuple[float, Mapping[str, Json]] | None:
        if not one.metric or one.topic != self._topic:
            return None
        try:
            return one.read(self._state) if self._alone(one) else None
        except FormatError as error:
            self._wrong(error)
            return None

    def _alone(self, one: Entity) -> bool:
        """True if it is the device's only one of its metric, False if another counts for it.

        FormatError where nothing tells which of several is the device's.
        """
        if one.device not in self._sources:
            self._sources[one.device] = self._sources_of(one.device)
        sources = self._sources[one.device]
        rivals = sources[one.metric, False]
        if one.diagnostic and rivals:
            return False
        if len(rivals or sources[one.metric, True]) == 1:
            return True
        raise bad(f"{short(one.name)} is not the only {one.metric} of {short(one.device)}")

    def _sources_of(self, device: str) -> "_Sources":
        """By metric and whether it is diagnostic, where a device's values come from."""
        sources: _Sources = defaultdict(set)
        for one in self.entities(by_device(device)):
            if one.device == device:
                sources[one.metric, one.diagnostic].add(one.source)
        return sources

    def _wrong(self, error: FormatError) -> None:
        if len(self._problems) < _PROBLEMS:
            self._problems.append(error)
