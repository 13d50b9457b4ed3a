"""What another set of rules would have told, and what it would not: two runs compared."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from devices.instant import FOREVER, Micros
from rules.spell import Spell
from rules.transition import Subject


@dataclass(frozen=True, slots=True)
class Same:
    """A spell in both runs; later: how much later the new one fired, µs, below 0 where sooner."""

    old: Spell
    new: Spell

    @property
    def later(self) -> Micros:
        """How much later the new one fired, µs; below 0 where it was sooner."""
        return self.new.fired - self.old.fired


@dataclass(frozen=True, slots=True)
class Difference:
    """Spells of both runs, of the new one only, and of the old one only, by when they fired."""

    same: Sequence[Same]
    added: Sequence[Spell]
    removed: Sequence[Spell]


def compare(old: Iterable[Spell], new: Iterable[Spell]) -> Difference:
    """Two runs over the same readings.

    A spell is the same where rule (by id) and subject are and the two spans touch; each is the same
    as one other at most, the earliest that it touches. Rules may mean something else in each run.
    """
    before, after = _by_key(old), _by_key(new)
    same: list[Same] = []
    for key, spells in after.items():
        same += _touching(before.get(key, []), spells)
    olds, news = {id(one.old) for one in same}, {id(one.new) for one in same}
    return Difference(
        sorted(same, key=lambda one: one.new.fired),
        [s for s in _all(after) if id(s) not in news],
        [s for s in _all(before) if id(s) not in olds],
    )


def _touching(old: Sequence[Spell], new: Sequence[Spell]) -> Iterable[Same]:
    """Pairs whose spans touch; both by `since`, and no two spans of a side overlap."""
    i = j = 0
    while i < len(old) and j < len(new):
        one, other = old[i], new[j]
        if one.since <= _until(other) and other.since <= _until(one):
            yield Same(one, other)
            i, j = i + 1, j + 1
        elif _until(one) < other.since:
            i += 1
        else:
            j += 1


def _until(spell: Spell) -> Micros:
    return FOREVER if spell.until is None else spell.until


_Key = tuple[str, Subject]


def _by_key(spells: Iterable[Spell]) -> Mapping[_Key, list[Spell]]:
    found: defaultdict[_Key, list[Spell]] = defaultdict(list)
    for spell in sorted(spells, key=lambda s: (s.since, s.fired)):
        found[spell.rule.code, spell.subject].append(spell)
    return found


def _all(spells: Mapping[_Key, Sequence[Spell]]) -> list[Spell]:
    return sorted((s for group in spells.values() for s in group), key=lambda s: s.fired)
