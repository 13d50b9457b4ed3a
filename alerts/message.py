"""What a notification says, and the id by which a receiver knows it again. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any
from uuid import UUID, uuid5

from alerts.model import CARE, Member
from alerts.place import LANGUAGES, SEPARATOR, Place
from alerts.texts import Texts
from devices.instant import Micros, to_datetime
from devices.reading import Json
from rules.model import Severity
from rules.transition import Subject, Transition

WEB = "web"
MQTT = "mqtt"
CHANNELS = (WEB, MQTT)
"""Every recipient is told by each of these."""

_NAMESPACE = UUID("5f1f6f0a-8e0c-5f0e-9b1e-0c6b6f1f7a11")


@dataclass(frozen=True, slots=True)
class Telling:
    """What is told of an alert. since: µs since epoch, UTC · value: in the metric's unit.

    plain_title: the title without what was seen and where.
    """

    rule: str
    severity: str
    category: str
    title: Mapping[str, str]
    plain_title: Mapping[str, str]
    subject: Subject
    since: Micros
    value: float | None

    @classmethod
    def of(cls, transition: Transition, severity: Severity, texts: Texts) -> "Telling":
        """What this transition has to tell. severity: the alert's from then on."""
        rule = transition.rule
        return cls(
            rule.code,
            severity.value,
            rule.category,
            texts.title,
            texts.plain,
            transition.subject,
            transition.since,
            transition.value,
        )


def occasion_of(transition: Transition, *, opens: bool, again: bool) -> str:
    """Why a notification is sent; with alert, member and channel it makes the notification one.

    What neither opens nor occurs again is graver than before.
    """
    if opens:
        return "opened"
    return f"again:{transition.since}" if again else f"graver:{transition.at}"


def message_id(telling: Telling, alert: int, occasion: str, member: str, channel: str) -> UUID:
    """The same for the same telling, however often it is sent.

    The alert is part of it: a span may be told again after its alert was withdrawn. member: the
    member's code.
    """
    subject = telling.subject
    parts = (telling.rule, subject.kind, subject.id, telling.since, alert)
    return uuid5(_NAMESPACE, "/".join(map(str, (*parts, occasion, member, channel))))


def body(
    telling: Telling, place: Place, *, alert: int, message: UUID, channel: str, occasion: str
) -> dict[str, Json]:
    """The JSON that a channel delivers, without the alert's state, which the outbox adds when it
    sends. Times are RFC 3339, UTC; value in the metric's unit.

    What leaves the service by MQTT about care says neither the value nor whose home it is: the
    link opens the alert, and that look is in the audit log.
    """
    discreet = channel == MQTT and telling.category == CARE
    public: dict[str, Json] = {
        "message_id": str(message),
        "alert": alert,
        "occasion": occasion,
        "rule": telling.rule,
        "severity": telling.severity,
        "category": telling.category,
        "title": dict(telling.plain_title if discreet else telling.title),
        "community": place.community,
        "place": dict(place.areas) if discreet else _whole_place(place),
        "since": _text(to_datetime(telling.since)),
        "link": f"/alerts/{alert}",
    }
    if discreet:
        return public
    return public | {"subject": dict(place.subject), "value": telling.value}


def notifications(
    telling: Telling,
    place: Place,
    *,
    alert: int,
    occasion: str,
    members: Iterable[Member],
    now: Micros,
) -> list[dict[str, Any]]:
    """Rows that tell this to each of these members by every channel, due at once."""
    rows = []
    for member, channel in product(members, CHANNELS):
        message = message_id(telling, alert, occasion, member.code, channel)
        said = body(
            telling, place, alert=alert, message=message, channel=channel, occasion=occasion
        )
        rows.append(
            {
                "message_id": message,
                "alert_id": alert,
                "member_id": member.id,
                "channel": channel,
                "occasion": occasion,
                "body": said,
                "now": to_datetime(now),
            }
        )
    return rows


def _whole_place(place: Place) -> Mapping[str, Json]:
    return {
        language: SEPARATOR.join(filter(None, (place.areas[language], place.home[language])))
        for language in LANGUAGES
    }


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
