"""What a test expects: the alerts that must come of it, and what must stand at an instant."""

from collections.abc import Iterable
from dataclasses import dataclass

from devices.instant import Micros
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.model import Severity, SubjectKind
from rules.testing.fields import Span, instant, listed, number, required_instant, spans, words
from rules.testing.moment import HINT, Scale, read_instant
from rules.testing.scene import Scene
from rules.transition import Subject

AT = "@"
"""Between a rule and its subject in `firing` and `unknown`."""

ALERT_KEYS = frozenset(
    {"rule", "subject", "from", "since", "until", "told", "severity"}
    | {"value", "unknown", "devices", "to"}
)
CHECK_KEYS = frozenset({"time", "firing", "unknown"})


@dataclass(frozen=True, slots=True)
class Expected:
    """An alert that must come. Of what is None, anything will do; instants in µs, UTC.

    begin: when it is raised · until: when it ends, None: not within the test · told: when the
    rules said so · colours: all that it has, each with when it begins if that counts
    unknown: while its sensor was silent · devices, to: codes.
    """

    rule: str
    subjects: tuple[Subject, ...] | None
    begin: Micros
    until: Micros | None
    since: Micros | None
    told: Micros | None
    colours: tuple[tuple[Micros | None, Severity], ...] | None
    value: float | None
    unknown: tuple[Span, ...]
    devices: frozenset[str] | None
    to: frozenset[str] | None
    line: int


@dataclass(frozen=True, slots=True)
class Check:
    """What must stand at one instant: exactly these, each a rule or RULE@SUBJECT; None: anything.

    firing: raised and not ended · unknown: those of them whose sensor is silent.
    """

    time: Micros
    firing: frozenset[str] | None
    unknown: frozenset[str] | None
    line: int


def read_expected(
    entry: Entry, scene: Scene, scale: Scale, only: frozenset[str]
) -> tuple[Expected, ...] | None:
    """The alerts that the test lists; None where it does not say. What is wrong is noted."""
    if entry.data.get("alerts") is None:
        return None
    read = (_expected(item, scene, scale, only) for item in listed(entry, "alerts"))
    return tuple(one for one in read if one is not None)


def _expected(entry: Entry, scene: Scene, scale: Scale, only: frozenset[str]) -> Expected | None:
    entry.refuse_others(ALERT_KEYS)
    rule = entry.text("rule")
    begin = required_instant(entry, "from", scale)
    if rule is not None and rule not in scene.rules:
        entry.complain("rule", f"there is no rule {rule!r}", did_you_mean(rule, scene.rules))
        rule = None
    elif rule is not None and rule not in only:
        entry.complain("rule", f"{rule!r} is not in 'only', so it does not count")
    until = instant(entry, "until", scale)
    if begin is not None and until is not None and until < begin:
        entry.complain("until", "is before 'from'")
    subjects = _subjects(entry, rule, scene) if rule else None
    expected = Expected(
        rule=rule or "",
        subjects=subjects,
        begin=begin or 0,
        until=until,
        since=instant(entry, "since", scale),
        told=instant(entry, "told", scale),
        colours=_colours(entry, scale),
        value=number(entry, "value"),
        unknown=spans(entry, "unknown", scale),
        devices=_devices(entry, scene),
        to=_members(entry, scene),
        line=entry.lines.line,
    )
    return expected if rule is not None and begin is not None else None


def _colours(entry: Entry, scale: Scale) -> tuple[tuple[Micros | None, Severity], ...] | None:
    """One colour, or colours by the time at which they begin; None where it is not given."""
    if "severity" not in entry.data:
        return None
    if not isinstance(entry.data["severity"], dict):
        colour = entry.choice("severity", Severity, None)
        return ((None, colour),) if colour else ()
    part = entry.part("severity")
    found = []
    for time in part.data if part else ():
        if part is None:
            continue
        at, colour = read_instant(time, scale), part.choice(time, Severity, None)
        if at is None:
            part.complain(time, f"{time!r} is not a time", HINT)
        elif colour is not None:
            found.append((at, colour))
    if part and not part.data:
        entry.complain("severity", "is empty", "write a colour, or {7m: yellow, 12m: red}")
    return tuple(sorted(found))


def _subjects(entry: Entry, rule: str, scene: Scene) -> tuple[Subject, ...] | None:
    if "subject" not in entry.data:
        return None
    name = entry.text("subject")
    if name is None:
        return None
    found = scene.subjects(rule, name)
    if not found:
        entry.complain("subject", f"there is no {name!r}", did_you_mean(name, scene.names(rule)))
    return tuple(found)


def _devices(entry: Entry, scene: Scene) -> frozenset[str] | None:
    named = words(entry, "devices")
    for name in sorted(named or ()):
        if not scene.devices(name):
            codes = [device.code for device in scene.inventory.devices.values()]
            entry.complain("devices", f"there is no device {name!r}", did_you_mean(name, codes))
    return named


def _members(entry: Entry, scene: Scene) -> frozenset[str] | None:
    named = words(entry, "to")
    for code in sorted((named or frozenset()) - scene.members):
        entry.complain("to", f"there is no member {code!r}", did_you_mean(code, scene.members))
    return named


def read_check(entry: Entry, scene: Scene, scale: Scale) -> Check:
    """What must stand at an instant; what is wrong is noted."""
    entry.refuse_others(CHECK_KEYS)
    time = required_instant(entry, "time", scale)
    firing, unknown = (_standing(entry, key, scene) for key in ("firing", "unknown"))
    if firing is None and unknown is None:
        entry.complain("firing", "is missing", "write firing: [] if nothing may stand then")
    return Check(time or 0, firing, unknown, entry.lines.line)


def _standing(entry: Entry, key: str, scene: Scene) -> frozenset[str] | None:
    named = words(entry, key)
    for name in sorted(named or ()):
        rule, _, subject = name.partition(AT)
        if rule not in scene.rules:
            entry.complain(key, f"there is no rule {rule!r}", did_you_mean(rule, scene.rules))
        elif subject and not scene.subjects(rule, subject):
            hint = did_you_mean(subject, scene.names(rule))
            entry.complain(key, f"there is no {subject!r}", hint)
    return named


def devices_of(
    expected: Iterable[Expected], checks: Iterable[Check], scene: Scene
) -> frozenset[int]:
    """The devices that are named as what an alert is about, or as its cause."""
    subjects = [subject for alert in expected for subject in alert.subjects or ()]
    for check in checks:
        for name in (check.firing or frozenset()) | (check.unknown or frozenset()):
            rule, _, subject = name.partition(AT)
            subjects += scene.subjects(rule, subject) if subject else []
    names = [name for alert in expected for name in alert.devices or ()]
    named = {device.id for name in names for device in scene.devices(name)}
    return frozenset(named | {s.id for s in subjects if s.kind is SubjectKind.DEVICE})
