"""The JSON Schema (2020-12) of rule files, for editors: what may stand where, with a word on each.

It is made of the tables by which rule files are read, so a key that is read is known here, and the
other way round. It says less than the loader checks: whether an expression can be true, a metric be
watched by that kind, a code be used twice, only `gridwarden rules check` tells.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import orjson

from devices.kind import BY_NAME as KINDS
from devices.metric import BY_NAME as METRICS
from rules.conditions import READERS, THRESHOLD, Reader
from rules.inclusion import LIBRARY
from rules.loader import KEYS
from rules.model import Measure, NoData, Same, Season, Severity
from rules.score import ASSUMABLE

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_LANGUAGES: Schema = {
    "type": "object",
    "properties": {"zh": {"type": "string"}, "en": {"type": "string"}},
    "required": ["zh", "en"],
    "additionalProperties": False,
}
_DURATION: Schema = {
    "type": "string",
    "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)+$",
    "examples": ["30s", "10m", "12h", "1h30m"],
}
_CONDITION: Schema = {"type": "string", "examples": ["spo2 <= 91"]}


def _words(choices: Iterable[str] | None = None) -> Schema:
    word: Schema = {"type": "string"} if choices is None else {"enum": sorted(choices)}
    return {"anyOf": [word, {"type": "array", "items": word, "minItems": 1}]}


def _part(required: Iterable[str] = (), **properties: Schema) -> Schema:
    """A mapping with these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(required),
        "additionalProperties": False,
    }


def _told(schema: Schema, en: str, zh: str) -> Schema:
    return {**schema, "description": f"{en} {zh}"}


_METRIC: Schema = {"enum": sorted(METRICS)}
_READING = _part(["metric"], metric=_METRIC, where=_CONDITION)
_NUMBER: Schema = {"type": "number", "minimum": 0}
_COLOUR: Schema = {"enum": [str(s) for s in Severity]}
_CODE = r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*"
_WATCH = _part(
    metric=_METRIC,
    household=_part(["care"], care={"type": "boolean"}),
    kind=_words(KINDS),
    area=_words(),
    device=_words(),
)
_ACTIVE = _part(hours=_words(), weekdays=_words(), dates=_words())

OF_KEYS: Mapping[str, Schema] = MappingProxyType(
    {
        "id": _told(
            {"type": "string", "pattern": f"^{_CODE}$"},
            "Its code, used once.",
            "规则编号，不可重复。",
        ),
        "category": _told(
            {"type": "string", "examples": ["parking", "access", "care", "safety", "device"]},
            "What duties answer for.",
            "职责类别。",
        ),
        "watch": _told(_WATCH, "Whose readings it judges.", "监测哪些设备的读数。"),
        "severity": _told(
            {"anyOf": [_COLOUR, _part(**{str(s): _CONDITION for s in Severity})]},
            "The warning colour, or colours by value.",
            "预警颜色，可按数值分级。",
        ),
        "no_data": _told(
            {"enum": [str(n) for n in NoData]},
            "What a silent sensor means.",
            "传感器无数据时的含义。",
        ),
        "unless": _told(_words(), "What keeps it quiet.", "此时不报警。"),
        "active": _told(_ACTIVE, "When it may raise alerts.", "何时可以报警。"),
        "lateness": _told(
            _DURATION, "How long it waits for what comes late.", "等待迟到数据多久。"
        ),
        "told": _told(
            {"type": "boolean"}, "False: only keeps others quiet.", "false：只用于抑制其他规则。"
        ),
        "title": _told(_LANGUAGES, "What people read first.", "标题。"),
        "advice": _told(_LANGUAGES, "What to do.", "处置建议。"),
        "tuning": _told(_LANGUAGES, "What to change where it does not fit.", "调整建议。"),
        "source": _told(
            {"anyOf": [{"type": "string"}, _LANGUAGES]},
            "Where its threshold is from.",
            "阈值来源。",
        ),
        "when": _told(_CONDITION, "It is true while this holds.", "触发条件。"),
        "clear": _told(_CONDITION, "It ends when this holds.", "解除条件。"),
        "for": _told(_DURATION, "How long `when` must hold.", "持续多久才报警。"),
        "keep_for": _told(_DURATION, "How long it must be over.", "恢复多久才解除。"),
        "absent": _told(
            {
                "anyOf": [
                    _DURATION,
                    {"type": "string", "pattern": r"^\s*\d+\s+intervals?\s*$"},
                ]
            },
            "Nothing came for so long.",
            "多久没有读数。",
        ),
        "within": _told(_DURATION, "How wide the window is.", "时间窗口。"),
        "step": _told(_DURATION, "In which steps the window moves.", "窗口移动的步长。"),
        "where": _told(_CONDITION, "Which readings count.", "哪些读数计入。"),
        "per": _told(
            {"type": "string", "examples": ["device", "household", "building", "grid"]},
            "Whose readings are judged together.",
            "按设备、住户或区域类型。",
        ),
        "first": _told(_READING, "The earlier reading.", "先发生的读数。"),
        "then": _told(_READING, "The later reading.", "后发生的读数。"),
        "missing": _told({"type": "boolean"}, "True: when `then` does not come.", "后者未发生。"),
        "without": _told(
            _part(["metric", "within"], metric=_METRIC, where=_CONDITION, within=_DURATION),
            "What had to come before.",
            "此前必须发生的读数。",
        ),
        "same": _told(
            {"enum": [str(s) for s in Same]}, "What both have in common.", "两者的共同之处。"
        ),
        "different": _told({"const": "device"}, "Two devices.", "不同设备。"),
        "speed": _told(_NUMBER, "m/s; too far apart to have walked.", "步行速度，米/秒。"),
        "replaced": _told(_DURATION, "How long a card is remembered.", "记住卡号多久。"),
        "score": _told({"const": "news2"}, "NEWS2.", "早期预警评分。"),
        "valid": _told(_DURATION, "How long a parameter counts.", "参数有效多久。"),
        "assume": _told(
            _words(ASSUMABLE), "What holds unless heard otherwise.", "默认成立的参数。"
        ),
        "share": _told(_CONDITION, "Which state is counted.", "统计哪种状态。"),
        "known": _told(
            {"type": "number", "minimum": 0, "maximum": 1},
            "The least share of devices that must be known.",
            "最少已知比例。",
        ),
        "in_a_row": _told({"type": "integer", "minimum": 1}, "How many in a row.", "连续次数。"),
        "reset": _told({"anyOf": [_CONDITION, _READING]}, "What ends the row.", "何时重新计数。"),
        "clear_after": _told(
            _DURATION, "It ends so long after the last.", "最后一次之后多久解除。"
        ),
        "devices": _told({"type": "integer", "minimum": 2}, "How many devices.", "设备数量。"),
        "index": _told(
            _part(
                ["weights"],
                weights=_part(**{str(s): _NUMBER for s in Severity}),
                categories=_words(),
                trend=_part(["over", "weight"], over=_DURATION, weight=_NUMBER),
            ),
            "What open alerts weigh.",
            "未结预警的权重。",
        ),
        "baseline": _told(
            _part(
                of={"enum": [str(m) for m in Measure]},
                every=_DURATION,
                season={"enum": [str(s) for s in Season]},
                history=_DURATION,
                least={"type": "integer", "minimum": 1},
                spread=_NUMBER,
            ),
            "What is usual at that time.",
            "与往常相比。",
        ),
    }
)
"""By key: what may stand there."""


def rule_file_schema() -> Schema:
    """The schema of a rule file: a list of rules, and of what is taken from the library."""
    return {
        "$schema": DIALECT,
        "title": "Gridwarden rules",
        "type": "array",
        "items": {
            "if": {"required": [LIBRARY]},
            "then": {"$ref": "#/$defs/library"},
            "else": {"$ref": "#/$defs/rule"},
        },
        "$defs": {"rule": _rule(), "library": _library()},
    }


def _library() -> Schema:
    return _part(
        [LIBRARY],
        library=_words(),
        without=_words(),
        change={"type": "object", "additionalProperties": {"type": "object"}},
    )


def _rule() -> Schema:
    by_key: dict[str, list[Reader]] = {}
    for reader in READERS:
        by_key.setdefault(reader.key, []).append(reader)
    kinds = _of_kind([THRESHOLD])
    for key, readers in reversed(by_key.items()):
        kinds = {"if": {"required": [key]}, "then": _of_kind(readers), "else": kinds}
    return {
        "type": "object",
        "required": ["id", "category", "severity", "title"],
        "properties": dict(OF_KEYS),
        **kinds,
    }


def _of_kind(readers: Sequence[Reader]) -> Schema:
    """What a rule of this kind may have; those that state no metrics need a `watch`."""
    keys = KEYS.union(*(reader.keys for reader in readers))
    schema: Schema = {"propertyNames": {"enum": sorted(keys)}}
    if all(reader.metrics is None for reader in readers):
        schema["required"] = ["watch"]
        schema["properties"] = {"watch": {"required": ["metric"]}}
    return schema


def as_text() -> str:
    """The schema as a file has it."""
    return orjson.dumps(rule_file_schema(), option=orjson.OPT_INDENT_2).decode() + "\n"
