"""What devices announced, for the formats whose messages need it to be understood. Pure.

A `Memory` is a value: decoding a batch makes `Notes` on it, and what they say has changed becomes
part of the memory, and of the database, when the batch is committed. So a batch that is decoded
again, in parts or after a crash, begins where it began before.

A gateway may announce what it likes, but not without end: `MAX_BYTES` for a community and format,
`MAX_ENTRY` for one announcement. What is beyond them is refused; what is known stays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, TypeAlias

from devices.formats.fields import bad, short

Key: TypeAlias = tuple[str, str, str]
"""Community, format, and what the format calls the subject."""

MAX_BYTES = 16 * 1024 * 1024
"""Bytes that a community's announcements of one format may take, `OVERHEAD` for each included."""

MAX_ENTRY = 32 * 1024
"""Bytes that one announcement may take."""

MAX_SUBJECT = 1_000
"""Bytes of a subject, in UTF-8: the database keeps an index of them."""

MAX_NAMED = 10_000
"""Announcements of a community that may name one topic, e.g. that of their bridge's state."""

OVERHEAD = 256


class Entry(Protocol):
    """Something announced: a value that is compared by what it says.

    names: under which it is looked for, beside its subject.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    def dump(self) -> bytes:
        """As it is kept in the database."""
        ...


Changes: TypeAlias = Mapping[Key, Entry | None]
"""What was announced anew or changed, and (None) what was withdrawn."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything announced.

    named: the subjects by each of their names, in order · spent: bytes by community and format.
    """

    entries: Mapping[Key, Entry]
    named: Mapping[Key, tuple[Key, ...]]
    spent: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, entries: Iterable[tuple[Key, Entry]]) -> "Memory":
        """A memory of these."""
        return NOTHING.after(dict(entries))

    def after(self, changes: Changes) -> "Memory":
        """This memory with these changes."""
        if not changes:
            return self
        entries, named, spent = dict(self.entries), dict(self.named), dict(self.spent)
        touched: dict[Key, set[Key]] = {}
        for key, entry in changes.items():
            old = entries.pop(key, None)
            spent[key[:2]] = spent.get(key[:2], 0) + _cost(key, entry) - _cost(key, old)
            for name in _names(key, old):
                touched.setdefault(name, set(named.get(name, ()))).discard(key)
            for name in _names(key, entry):
                touched.setdefault(name, set(named.get(name, ()))).add(key)
            if entry is not None:
                entries[key] = entry
        for name, keys in touched.items():
            named[name] = tuple(sorted(keys))
            if not keys:
                del named[name]
        return Memory(entries, named, {owner: size for owner, size in spent.items() if size})


NOTHING = Memory(MappingProxyType({}), MappingProxyType({}), MappingProxyType({}))
"""Before anything was announced."""


class Notes:
    """A memory, and what the messages of one batch change of it, seen at once by the next of them.

    changes: what differs from the memory · commands: what is to be published to devices, by
    community, format and the format's own topic.
    """

    def __init__(self, memory: Memory = NOTHING) -> None:
        self.changes: dict[Key, Entry | None] = {}
        self.commands: dict[Key, bytes] = {}
        self._memory = memory
        self._spent: dict[tuple[str, str], int] = {}
        self._named: dict[Key, set[Key]] = {}

    def get(self, key: Key) -> Entry | None:
        """What is announced of this subject."""
        if key in self.changes:
            return self.changes[key]
        return self._memory.entries.get(key)

    def put(self, key: Key, entry: Entry) -> None:
        """Note an announcement; FormatError(BAD_PAYLOAD), and no change, where there is no room."""
        old = self.get(key)
        if old == entry:
            return
        if old is None or len(entry.dump()) > OVERHEAD:
            self._check(key, entry, old)
        self._change(key, entry, old)
        for name in _names(key, entry):
            self._named.setdefault(name, set()).add(key)

    def drop(self, key: Key) -> None:
        """Note that something is withdrawn."""
        old = self.get(key)
        if old is not None:
            self._change(key, None, old)

    def named(self, community: str, of: str, name: str) -> list[Key]:
        """The subjects of a format whose entries have this name, in order."""
        whole = (community, of, name)
        known, new = self._memory.named.get(whole, ()), self._named.get(whole)
        keys = sorted({*known, *new}) if new else known
        return [key for key in keys if (entry := self.get(key)) and name in entry.names]

    def _change(self, key: Key, entry: Entry | None, old: Entry | None) -> None:
        self._spent[key[:2]] = self._total(key) + _cost(key, entry) - _cost(key, old)
        self.changes[key] = entry

    def _total(self, key: Key) -> int:
        owner = key[:2]
        return self._spent[owner] if owner in self._spent else self._memory.spent.get(owner, 0)

    def _check(self, key: Key, entry: Entry, old: Entry | None) -> None:
        community, of, subject = key
        if len(subject.encode()) > MAX_SUBJECT or "\0" in subject:
            raise bad(f"{short(subject)} is no name that is kept: longer than {MAX_SUBJECT} bytes")
        size = len(entry.dump())
        if size > MAX_ENTRY:
            raise bad(f"it announces {size} bytes to be remembered; {MAX_ENTRY} are the most")
        if self._total(key) + _cost(key, entry) - _cost(key, old) > MAX_BYTES:
            raise bad(
                f"the devices of {of} in community {community!r} have announced more than"
                f" {MAX_BYTES} bytes: there is no room for another"
            )
        held = entry.names if old is None else set(entry.names) - set(old.names)
        for name in held:
            whole = (community, of, name)
            most = len(self._memory.named.get(whole, ())) + len(self._named.get(whole, ()))
            if most >= MAX_NAMED and len(self.named(community, of, name)) >= MAX_NAMED:
                raise bad(f"{MAX_NAMED} announcements already name {short(name)}")


def _names(key: Key, entry: Entry | None) -> list[Key]:
    return [] if entry is None else [(key[0], key[1], name) for name in entry.names]


def _cost(key: Key, entry: Entry | None) -> int:
    return 0 if entry is None else OVERHEAD + len(key[2]) + len(entry.dump())
