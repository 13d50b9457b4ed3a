"""The shape of each entry of a site's files, before its references are looked up.

The first example of each field is what a hint shows to somebody who left the field out.
"""

import datetime as dt
import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, TypeAlias
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from devices import kind, metric
from devices.errors import DurationError
from devices.instant import DAY, Micros, parse_duration
from devices.suggest import did_you_mean, one_of
from devices.topic import CODE, RESERVED

LANGUAGES = ("zh", "en")
LONGEST_INTERVAL: Micros = 366 * DAY
YEARS = range(1970, 2201)

_CONTROL = re.compile(r"[\x00-\x1f]")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PHONE = re.compile(r"\+?[0-9][0-9 -]{1,22}[0-9]")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Moment: TypeAlias = dt.date | dt.datetime
"""A local date, or an aware datetime."""


def wrong(what: str, hint: str) -> PydanticCustomError:
    """What a validator raises: `what` is wrong with the value, and how to mend it."""
    return PydanticCustomError("wrong", "{what}", {"what": what, "hint": hint})


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise wrong(f"is {_shown(value)}, not text", "put it in quotes")
    if not value.strip() or len(value) > 200:
        raise wrong("is empty or longer than 200 characters", "write a short text")
    if _CONTROL.search(value):
        raise wrong(f"is {value!r}, with a control character in it", "write it on one line")
    return value.strip()


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return f"{'a' if value else 'an empty'} {'mapping' if isinstance(value, dict) else 'list'}"
    words = {True: "true", False: "false", None: "empty"}
    return words[value] if value is None or isinstance(value, bool) else repr(value)


def _code(value: object) -> str:
    text = _text(value)
    if not CODE.fullmatch(text):
        hint = "use up to 64 letters a-z, digits, '-', '_' and '.', the first a letter or a digit"
        raise wrong(f"is {text!r}, which cannot be a code", hint)
    if text in RESERVED:
        raise wrong(f"is {text!r}, a word that topics need", "choose another code")
    return text


def _word(value: object) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        hint = "write one word in small letters a-z, digits and '_'"
        raise wrong(f"is {_shown(value)}, not a word", hint)
    return value


def _name(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        return dict.fromkeys(LANGUAGES, _text(value))
    for language in value:
        if language not in LANGUAGES:
            raise wrong(f"has a text in {language!r}", one_of(LANGUAGES))
    for language in LANGUAGES:
        if language not in value:
            raise wrong(f"has no text in {language!r}", "write {zh: …, en: …}, or one text")
    return {language: _text(value[language]) for language in LANGUAGES}


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong(f"is {_shown(value)}", "write true or false")
    return value


def _zone(value: object) -> str:
    if not isinstance(value, str) or value not in _zones():
        raise wrong(
            f"is {_shown(value)}, which is no time zone", did_you_mean(str(value), _zones())
        )
    return value


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _kind(value: object) -> str:
    if not isinstance(value, str) or value not in kind.BY_NAME:
        hint = did_you_mean(str(value), kind.BY_NAME)
        raise wrong(f"is {_shown(value)}, which is no kind of device", hint)
    return value


def _interval(value: object) -> Micros:
    try:
        span = parse_duration(str(value))
    except DurationError:
        hint = "write a number and ms, s, m, h, d or w, e.g. '10m'"
        raise wrong(f"is {_shown(value)}, not a duration", hint) from None
    if not 0 < span <= LONGEST_INTERVAL:
        raise wrong(f"is {_shown(value)}", "write more than 0s and at most 366d")
    return span


def _metric(value: object) -> str:
    if not isinstance(value, str) or value not in metric.BY_NAME:
        hint = did_you_mean(str(value), metric.BY_NAME)
        raise wrong(f"is {_shown(value)}, which is no metric", hint)
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong(f"is {_shown(value)}, not a number", "write a number, e.g. 60")
    return float(value)


def _phone(value: object) -> str:
    text = _text(value)
    if not _PHONE.fullmatch(text):
        raise wrong(f"is {text!r}, not a phone number", "write digits, e.g. '+86 138 0000 0000'")
    return text


def _language(value: object) -> str:
    if value not in LANGUAGES:
        raise wrong(f"is {_shown(value)}", one_of(LANGUAGES))
    return str(value)


def _list(value: object) -> object:
    if not isinstance(value, list) or not value:
        raise wrong(f"is {_shown(value)}", "write a list with at least one word, or leave it out")
    return value


def _mapping(value: object) -> object:
    if not isinstance(value, dict):
        raise wrong(f"is {_shown(value)}", "write e.g. {capacity: 60}")
    return value


def _moment(value: object) -> Moment:
    moment = _date_or_time(value)
    if moment.year not in YEARS:
        what = f"is {_shown(value)}, not between {YEARS.start} and {YEARS.stop - 1}"
        raise wrong(what, "leave it out if the duty has no such limit")
    return moment


def _date_or_time(value: object) -> Moment:
    text = str(value)
    try:
        if _DATE.fullmatch(text):
            return dt.date.fromisoformat(text)
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        hint = "write a date, '2026-01-31', or a time with its offset, '2026-01-31T08:00+08:00'"
        raise wrong(f"is {_shown(value)}, not a date", hint) from None
    if moment.tzinfo is None:
        raise wrong(f"is {text!r}, a time without its offset", f"write '{text}+08:00' or a date")
    return moment


Code: TypeAlias = Annotated[str, BeforeValidator(_code)]
Word: TypeAlias = Annotated[str, BeforeValidator(_word)]
Name: TypeAlias = Annotated[Mapping[str, str], BeforeValidator(_name)]
Flag: TypeAlias = Annotated[bool, BeforeValidator(_flag)]
Date: TypeAlias = Annotated[Moment, BeforeValidator(_moment)]
Number: TypeAlias = Annotated[float, BeforeValidator(_number)]
Categories: TypeAlias = Annotated[frozenset[Word], BeforeValidator(_list)]
Metrics: TypeAlias = Annotated[
    tuple[Annotated[str, BeforeValidator(_metric)], ...], BeforeValidator(_list)
]


class Form(BaseModel):
    """One entry as written."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class SiteForm(Form):
    """site.yaml."""

    name: Name = Field(examples=["{zh: 绿园社区, en: Lvyuan community}"])
    time_zone: Annotated[str, BeforeValidator(_zone)] = Field(examples=["Asia/Shanghai"])


class AreaForm(Form):
    """An entry of areas.yaml, without the areas nested in it."""

    code: Code = Field(examples=["grid-1"])
    kind: Word = Field(examples=["grid"])
    name: Name = Field(examples=["{zh: 第一网格, en: Grid 1}"])
    parent: Code | None = None


class HouseholdForm(Form):
    """An entry of households.yaml."""

    code: Code = Field(examples=["b1-101"])
    area: Code = Field(examples=["building-1"])
    name: Name | None = None
    care: Flag = False
    away: Flag = False


class DeviceForm(Form):
    """An entry of devices.yaml."""

    code: Code = Field(examples=["bay-001"])
    kind: Annotated[str, BeforeValidator(_kind)] = Field(examples=["parking_bay"])
    area: Code | None = None
    household: Code | None = None
    name: Name | None = None
    interval: Annotated[Micros, BeforeValidator(_interval)] | None = None
    metrics: Metrics | None = Field(None, min_length=1)
    address: Annotated[str, BeforeValidator(_text)] | None = None
    gateway: Code | None = None
    attributes: Annotated[dict[Word, Number], BeforeValidator(_mapping)] = Field(
        default_factory=dict
    )


class MemberForm(Form):
    """An entry of members.yaml."""

    code: Code = Field(examples=["wang-fang"])
    name: Name = Field(examples=["{zh: 王芳, en: Wang Fang}"])
    phone: Annotated[str, BeforeValidator(_phone)] | None = None
    language: Annotated[str, BeforeValidator(_language)] = "zh"


class DutyForm(Form):
    """An entry of duties.yaml."""

    member: Code = Field(examples=["wang-fang"])
    area: Code = Field(examples=["grid-1"])
    role: Word = Field(examples=["grid_member"])
    categories: Categories | None = None
    begin: Date | None = Field(None, alias="from")
    end: Date | None = Field(None, alias="to")
