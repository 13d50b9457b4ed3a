"""Rule files to rules, or every error in all of them at once.

A rule file is a YAML list. Each item has an `id`, a `category`, what it watches, one condition,
a `severity` and its texts. Which condition it is shows in its keys: see `rules.conditions.READERS`.
An item with `library` takes rules of the rule library, which is handed over as texts.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from devices.document import Data, Lines, scan
from devices.errors import Problem
from rules.conditions import CONDITION_KEYS, Reader, reader_of
from rules.entry import LANGUAGES, Entry
from rules.errors import RulesError
from rules.inclusion import EMPTY, LIBRARY, take
from rules.items import item_texts
from rules.keys import (
    CODE,
    read_active,
    read_colours,
    read_lateness,
    read_no_data,
    read_texts,
    read_unless,
)
from rules.model import Rule, Watch
from rules.references import problems_of_references
from rules.watching import read_watch
from rules.written import fingerprint

MAX_CHARACTERS = 4_000_000

_CATEGORY = re.compile(r"[a-z][a-z0-9_]*")
_KEYS = frozenset(
    {
        "id",
        "category",
        "watch",
        "severity",
        "active",
        "lateness",
        "told",
        "no_data",
        "unless",
        "title",
        "advice",
    }
)
_NOTES = frozenset({"source", "tuning"})
"""What a rule says of itself to people; nothing of it changes what the rule does."""

KEYS = _KEYS | _NOTES
"""Those that every rule may have."""


def load(
    files: Mapping[str, str], library: Mapping[str, str] = EMPTY, *, whole: bool = False
) -> tuple[Rule, ...]:
    """All rules of these texts by path, in order; RulesError with every problem in any of them.

    library: the texts that `library: NAME` takes rules from, by path (`library/NAME.yaml`).
    whole: these are all the rules that there are, so that those named in `unless` must be among
    them; without it a rule that is not there keeps none quiet.
    """
    problems: list[Problem] = []
    rules: list[Rule] = []
    seen, unless = dict[str, str](), dict[str, int]()
    for source, text in files.items():
        rules += _load_file(source, text, library, seen, unless, problems)
    if whole:
        problems += problems_of_references(rules, unless, seen)
    if problems:
        raise RulesError(problems)
    return tuple(rules)


def _load_file(  # noqa: PLR0917 - a text, and what all of them share
    source: str,
    text: str,
    library: Mapping[str, str],
    seen: dict[str, str],
    unless: dict[str, int],
    problems: list[Problem],
) -> list[Rule]:
    """Its rules. seen: where each code was first read · unless: line of each code's `unless`."""
    if len(text) > MAX_CHARACTERS:
        what = f"the file has {len(text)} characters, more than {MAX_CHARACTERS}"
        problems.append(Problem(source, 1, what, "split it into several files"))
        return []
    data, lines, wrong = scan(source, text)
    problems += wrong
    if data is None:
        return []
    if not isinstance(data, list):
        what = f"a rule file is a list of rules, not a {_called(data)}"
        problems.append(Problem(source, lines.line, what, "begin each rule with '- id: …'"))
        return []
    texts = item_texts(text, lines, len(data))
    rules: list[Rule] = []
    for i, item in enumerate(data):
        entry = _entry(source, i, item, lines, problems)
        if LIBRARY in entry.data:
            taken = [rule for rule in _load_library(entry, library, seen) if rule is not None]
            unless |= {rule.code: rule.line for rule in taken}
            rules += taken
        elif (rule := _load_rule(entry, texts[i], seen)) is not None:
            unless[rule.code] = lines.parts.get(i, lines).at("unless")
            rules.append(rule)
    return rules


def _load_library(
    entry: Entry, library: Mapping[str, str], seen: dict[str, str]
) -> list[Rule | None]:
    taken = [(one, _load_rule(one.entry, one.text, seen)) for one in take(entry, library)]
    return [rule and replace(rule, source=one.source, line=one.line) for one, rule in taken]


def _called(data: Data) -> str:
    return "mapping" if isinstance(data, dict) else type(data).__name__


def _entry(source: str, index: int, item: Data, lines: Lines, problems: list[Problem]) -> Entry:
    name = f"item {index + 1}"
    if isinstance(item, dict) and isinstance(item.get("id"), str):
        name = f"rule {item['id']}"
    place = lines.parts.get(index, lines)
    if not isinstance(item, dict):
        what = f"{name}: a rule is a mapping, not {item!r}"
        problems.append(Problem(source, place.line, what, "begin each rule with '- id: …'"))
        item = {}
    return Entry(source, name, "", item, place, problems)


def _load_rule(entry: Entry, text: str, seen: dict[str, str]) -> Rule | None:
    before = len(entry.problems)
    if not entry.data:
        if not before:
            entry.complain("", "a rule without anything in it")
        return None
    entry.refuse_others(_KEYS | _NOTES | CONDITION_KEYS)
    code = _code(entry, seen)
    category = _matching(entry, "category", _CATEGORY, "e.g. parking, access, care or safety")
    reader = reader_of(entry)
    watch = _watch(entry, reader)
    condition = reader.read(entry, watch)
    colours = read_colours(entry, watch, condition)
    no_data = read_no_data(entry, watch, condition)
    active = read_active(entry)
    title = read_texts(entry, "title", required=True)
    advice = read_texts(entry, "advice", required=False)
    basis, tuning = _basis(entry), entry.languages("tuning", required=False)
    unless = read_unless(entry)
    lateness = read_lateness(entry)
    told = entry.flag("told") is not False
    if len(entry.problems) > before or not (watch and condition and colours):
        return None
    rule = Rule(
        code,
        category,
        watch,
        condition,
        colours.severity,
        no_data,
        unless.away,
        title,
        advice,
        "",
        entry.source,
        entry.lines.line,
        text,
        colours.grades,
        active,
        tuning,
        basis,
        unless.rules,
        lateness,
        told,
    )
    return replace(rule, fingerprint=fingerprint(rule), basis=basis, tuning=tuning)


def _watch(entry: Entry, reader: Reader) -> Watch | None:
    watch = read_watch(entry, None if reader.metrics is None else reader.metrics(entry))
    if watch is None or reader.further is None:
        return watch
    return replace(watch, metrics=tuple(dict.fromkeys((*watch.metrics, *reader.further(entry)))))


def _code(entry: Entry, seen: dict[str, str]) -> str:
    code = _matching(entry, "id", CODE, "write e.g. care.spo2_low")
    place = f"{entry.source}:{entry.lines.at('id')}"
    if code and code in seen:
        entry.complain("id", f"{code!r} is already used", f"the first is at {seen[code]}")
    seen.setdefault(code, place)
    return code


def _matching(entry: Entry, key: str, pattern: re.Pattern[str], hint: str) -> str:
    word = entry.text(key)
    if word is not None and not pattern.fullmatch(word):
        entry.complain(key, f"{word!r} is not a code: small letters, digits and '_'", hint)
    return word or ""


def _basis(entry: Entry) -> Mapping[str, str]:
    """Where the threshold comes from: texts by language, or one text for all; may be left out."""
    value = entry.data.get("source")
    if isinstance(value, dict):
        return entry.languages("source", required=False)
    text = None if value is None else entry.text("source")
    return dict.fromkeys(LANGUAGES, text) if text else {}
