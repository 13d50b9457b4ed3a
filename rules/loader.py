"""Rule files to rules, or every error in all of them at once.

A rule file is a YAML list. Each item has an `id`, a `category`, what it watches, one condition,
a `severity` and its texts. Which condition it is shows in its keys: `absent` makes an absence,
`within` a count or a measure in a window, `index` a risk index, `baseline` a baseline,
anything else is a threshold.
"""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import replace

from devices.document import Data, Lines, scan
from devices.errors import Problem
from devices.metric import BY_NAME
from rules.conditions import CONDITION_KEYS, reader_of
from rules.entry import Entry
from rules.errors import RulesError
from rules.model import (
    Absence,
    Baseline,
    Condition,
    CountInWindow,
    NoData,
    RiskIndex,
    Rule,
    Severity,
    Watch,
)
from rules.watching import read_watch
from rules.written import fingerprint

MAX_CHARACTERS = 4_000_000

_CODE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_CATEGORY = re.compile(r"[a-z][a-z0-9_]*")
_WITHOUT_SILENCE = Absence | Baseline | CountInWindow | RiskIndex
_KEYS = frozenset({"id", "category", "watch", "no_data", "unless", "severity", "title", "advice"})
_SILENCE_NEVER_CLEARS = (
    "silence never clears an alert: nobody knows whether the danger is over; "
    "write 'hold' to keep the alert, or 'alert' to be told of the silence"
)


def load(files: Mapping[str, str]) -> tuple[Rule, ...]:
    """All rules of these texts by path, in order; RulesError with every problem in any of them."""
    problems: list[Problem] = []
    rules: list[Rule] = []
    seen: dict[str, str] = {}
    for source, text in files.items():
        rules += _load_file(source, text, seen, problems)
    if problems:
        raise RulesError(problems)
    return tuple(rules)


def _load_file(source: str, text: str, seen: dict[str, str], problems: list[Problem]) -> list[Rule]:
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
    texts = _item_texts(text, lines, len(data))
    rules = [
        _load_rule(_entry(source, i, item, lines, problems), texts[i], seen)
        for i, item in enumerate(data)
    ]
    return [rule for rule in rules if rule is not None]


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
    entry.refuse_others(_KEYS | CONDITION_KEYS)
    code = _code(entry, seen)
    category = _matching(entry, "category", _CATEGORY, "e.g. parking, access, care or safety")
    reader = reader_of(entry)
    watch = read_watch(entry, None if reader.metrics is None else reader.metrics(entry))
    condition = reader.read(entry, watch)
    severity = entry.choice("severity", Severity, None)
    no_data = _no_data(entry, watch, condition)
    title = entry.languages("title", required=True)
    advice = entry.languages("advice", required=False)
    unless_away = _unless_away(entry)
    if len(entry.problems) > before or not (watch and condition and severity):
        return None
    rule = Rule(
        code,
        category,
        watch,
        condition,
        severity,
        no_data,
        unless_away,
        title,
        advice,
        "",
        entry.source,
        entry.lines.line,
        text,
    )
    return replace(rule, fingerprint=fingerprint(rule))


def _code(entry: Entry, seen: dict[str, str]) -> str:
    code = _matching(entry, "id", _CODE, "write e.g. care.spo2_low")
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


def _no_data(entry: Entry, watch: Watch | None, condition: Condition | None) -> NoData:
    if entry.data.get("no_data") == "clear":
        entry.complain("no_data", "'clear' is refused", _SILENCE_NEVER_CLEARS)
        return NoData.HOLD
    choice = entry.choice("no_data", NoData, NoData.HOLD) or NoData.HOLD
    momentary = watch is not None and any(BY_NAME[name].occurs for name in watch.metrics)
    if choice is NoData.ALERT and (momentary or isinstance(condition, _WITHOUT_SILENCE)):
        hint = "write a rule of its own: absent: …, without 'when'"
        entry.complain("no_data", "'alert' is for thresholds on what is measured or lasts", hint)
    return choice


def _unless_away(entry: Entry) -> bool:
    value = entry.data.get("unless")
    if value is not None and value != "household.away":
        entry.complain("unless", f"{value!r} is not known", "the one exception is 'household.away'")
    return value is not None


def _item_texts(text: str, lines: Lines, count: int) -> list[str]:
    """Each item's own lines, without the comments and blank lines that lead to the next."""
    written = text.splitlines()
    starts = [lines.at(i) for i in range(count)]
    ends = [start - 1 for start in starts[1:]] + [len(written)]
    return [
        _trimmed(written[start - 1 : max(end, start)])
        for start, end in zip(starts, ends, strict=True)
    ]


def _trimmed(written: list[str]) -> str:
    while written and (not written[-1].strip() or written[-1].lstrip().startswith("#")):
        written.pop()
    return textwrap.dedent("\n".join(written))
