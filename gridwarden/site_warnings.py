"""What a sound site still lacks: nobody on duty, a rule that sees nothing, a category of no rule.

A rule of the library may see nothing: the library is for every site.

Responsibility is asked of the same code that routes alerts, over the inventory that the site would
give, so that what is told here is what would happen.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np

from alerts.model import Duty
from alerts.routing import route
from devices.errors import Problem
from devices.instant import NEVER, Micros, format_duration
from devices.inventory import Area, Device, Household, Inventory
from devices.site import DeviceEntry, Site
from devices.suggest import did_you_mean
from gridwarden.rule_library import library_texts
from rules.model import SPO2_SCALE, Absence, NoData, Rule, Score, SubjectKind
from rules.news2 import PARAMETERS
from rules.plan import Plan, RulePlan, make_plan
from rules.score import ASSUMABLE
from rules.transition import Subject

_NAMED = 5


def find_warnings(site: Site, rules: Sequence[Rule], now: Micros) -> list[Problem]:
    """What is missing at `now` (µs since the Unix epoch, UTC), in the order of the files."""
    inventory = provisional_inventory(site)
    plan = make_plan(rules, inventory, ZoneInfo(site.time_zone))
    found = [*_holes(site, plan, inventory, now), *_idle_rules(plan, inventory)]
    found += [*_floods(plan, inventory), *_scores(plan, inventory)]
    return sorted([*found, *_idle_categories(site, rules)])


def provisional_inventory(site: Site) -> Inventory:
    """The inventory that this site would give, with ids made up."""
    ids = {code: id_ for id_, code in enumerate(site.areas, 1)}
    homes = {code: id_ for id_, code in enumerate(site.households, 1)}
    numbers = {key: id_ for id_, key in enumerate(site.devices, 1)}
    return Inventory.of(
        [
            Area(ids[a.code], a.code, a.kind, ids[a.parent] if a.parent else None, a.name)
            for a in site.areas.values()
        ],
        [
            Household(homes[h.code], h.code, ids[h.area], h.name, h.care, h.away)
            for h in site.households.values()
        ],
        [
            replace(
                _device(numbers[key], d, ids[d.area], homes[d.household] if d.household else None),
                gateway=numbers[d.community, d.gateway] if d.gateway else None,
            )
            for key, d in site.devices.items()
        ],
    )


def _device(id_: int, device: DeviceEntry, area: int, household: int | None) -> Device:
    return Device(
        id=id_,
        code=device.code,
        community=device.community,
        kind=device.kind,
        area=area,
        household=household,
        interval=device.interval,
        metrics=device.metrics,
        name=device.name,
        attributes=device.attributes,
        address=device.address,
    )


def _holes(site: Site, plan: Plan, inventory: Inventory, now: Micros) -> Iterator[Problem]:
    """Places where an alert of a category would find nobody."""
    duties = provisional_duties(site, inventory)
    places: dict[str, set[int]] = defaultdict(set)
    for rule in plan.rules:
        places[rule.rule.category] |= {_area_of(s, inventory) for s in rule.subjects}
    for category, areas in places.items():
        holes = [
            inventory.areas[area].code
            for area in sorted(areas)
            if not route(inventory.path(area), category, duties, now).recipients
        ]
        if holes:
            what = f"nobody is on duty for {category!r} at {_listed(holes)}"
            hint = f"add a duty for {category!r} there or at an area around"
            yield Problem("duties.yaml", 1, what, hint)


def provisional_duties(site: Site, inventory: Inventory) -> list[Duty]:
    """The duties of this site, with the ids that `provisional_inventory` gives; members from 1."""
    members = {code: id_ for id_, code in enumerate(site.members, 1)}
    ids = {area.code: area.id for area in inventory.areas.values()}
    return [
        Duty(
            members[duty.member],
            ids[duty.area],
            duty.role,
            duty.categories,
            NEVER if duty.valid_from is None else duty.valid_from,
            duty.valid_to,
        )
        for duty in site.duties
    ]


def _area_of(subject: Subject, inventory: Inventory) -> int:
    if subject.kind is SubjectKind.DEVICE:
        return inventory.devices[subject.id].area
    if subject.kind is SubjectKind.HOUSEHOLD:
        return inventory.households[subject.id].area
    return subject.id


def _idle_rules(plan: Plan, inventory: Inventory) -> Iterator[Problem]:
    for bound in plan.rules:
        rule = bound.rule
        if _forgotten(bound):
            hint = "give them the attribute, or narrow the rule's 'watch'"
            yield Problem(rule.source, rule.line, _lacking(bound, inventory), hint)
        elif not len(bound.subject_ids) and rule.source not in library_texts():
            what = f"rule {rule.code} watches no device of this site"
            yield Problem(rule.source, rule.line, what, "leave it out, or widen its 'watch'")


def _forgotten(bound: RulePlan) -> bool:
    """True if an attribute was forgotten, not left out to mark devices that are not meant.

    An attribute of the fewer ones is taken for a mark: the fire lane among the parking bays.
    """
    lacking = len({device for device, _ in bound.inapplicable})
    return lacking > 0 and (len(bound.devices) == 0 or lacking <= len(bound.devices))


def _lacking(bound: RulePlan, inventory: Inventory) -> str:
    names = sorted({attribute for _, attribute in bound.inapplicable})
    codes = sorted({inventory.devices[device].code for device, _ in bound.inapplicable})
    return f"rule {bound.rule.code} needs {', '.join(names)}, not given for {_listed(codes)}"


def _floods(plan: Plan, inventory: Inventory) -> Iterator[Problem]:
    """Rules that would miss devices before the gateway that they are behind is known to be gone.

    The device may have been heard one of its intervals before both went, the gateway just then.
    """
    for bound in plan.rules:
        behind = [inventory.devices[d] for d in bound.devices.tolist()]
        early = [
            (device, gateway)
            for device in behind
            if (patience := _patience(bound.rule, device)) is not None
            and (gateway := inventory.devices.get(device.gateway or 0)) is not None
            and patience < gateway.silent_after + device.interval
        ]
        if early:
            codes = sorted({gateway.code for _, gateway in early})
            needed = max(gateway.silent_after + device.interval for device, gateway in early)
            what = (
                f"rule {bound.rule.code} would tell of {_listed([d.code for d, _ in early])} before"
                f" {_listed(codes)} is known to be gone"
            )
            hint = f"wait for at least {format_duration(needed)}, or shorten the gateway's interval"
            yield Problem(bound.rule.source, bound.rule.line, what, hint)


def _scores(plan: Plan, inventory: Inventory) -> Iterator[Problem]:
    """Scores of which there can never be a total, and scales that there are not."""
    for bound in plan.rules:
        rule = bound.rule
        if not isinstance(rule.condition, Score):
            continue
        assumed = {PARAMETERS[ASSUMABLE[word]] for word in rule.condition.assume}
        lacking = dict(_unmeasured(bound, inventory, set(PARAMETERS) - assumed))
        unused = rule.source in library_texts() and len(lacking) == len(bound.subject_ids)
        if lacking and not unused:
            names = ", ".join(sorted(set().union(*lacking.values())))
            what = f"rule {rule.code} can have no total in {_listed(sorted(lacking))}: no {names}"
            hint = "add the device or its 'metrics', use 'assume', or narrow the rule's 'watch'"
            yield Problem(rule.source, rule.line, what, hint)
        scale = plan.attributes[SPO2_SCALE][bound.devices]
        odd = bound.devices[~np.isnan(scale) & ~np.isin(scale, (1, 2))].tolist()
        if odd:
            codes = _listed(sorted(inventory.devices[device].code for device in odd))
            what = f"{SPO2_SCALE} of {codes} is neither 1 nor 2, so rule {rule.code} takes it for 1"
            yield Problem(rule.source, rule.line, what, "write 2 where a clinician prescribed it")


def _unmeasured(
    bound: RulePlan, inventory: Inventory, needed: set[str]
) -> Iterator[tuple[str, set[str]]]:
    """The households in which no device gives some of these metrics, and which."""
    for slot, home in enumerate(bound.subject_ids.tolist()):
        devices = [inventory.devices[device] for device in bound.devices_of(slot).tolist()]
        missing = needed.difference(*(device.metrics for device in devices))
        if missing:
            yield inventory.households[home].code, missing


def _patience(rule: Rule, device: Device) -> Micros | None:
    """After how long without a word the rule tells of the device; None where it never does."""
    condition = rule.condition
    if isinstance(condition, Absence) and condition.when is None:
        return condition.lasting or condition.intervals * device.interval
    return device.silent_after if rule.no_data is NoData.ALERT else None


def _idle_categories(site: Site, rules: Sequence[Rule]) -> Iterator[Problem]:
    known = {rule.category for rule in rules}
    if not rules:
        yield Problem("rules/", 1, "there are no rules", "write some, so that alerts are raised")
        return
    for duty in site.duties:
        for category in sorted((duty.categories or frozenset()) - known):
            what = f"no rule has the category {category!r}"
            yield Problem(*duty.origin, what, did_you_mean(category, known))


def _listed(codes: Sequence[str]) -> str:
    more = f" and {len(codes) - _NAMED} more" if len(codes) > _NAMED else ""
    return ", ".join(codes[:_NAMED]) + more
