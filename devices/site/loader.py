"""The files of a site folder, checked completely and made into a `Site`."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from devices.document import scan
from devices.errors import Problem
from devices.site.duties import link_duties
from devices.site.entries import Entries, F, read_entries, read_form
from devices.site.forms import AreaForm, DeviceForm, DutyForm, HouseholdForm, MemberForm, SiteForm
from devices.site.links import (
    Written,
    check_references,
    link_areas,
    link_devices,
    link_households,
    link_members,
)
from devices.site.model import Site, SiteError
from devices.suggest import did_you_mean

SECTIONS = ("areas", "households", "devices", "members", "duties")
"""Each is NAME.yaml, or any number of files NAME/….yaml, or both."""

RULES = "rules/"


def load(files: Mapping[str, str]) -> Site:
    """The site that these files describe; SiteError with every problem of all of them.

    `files` maps paths relative to the site folder, with '/', to their texts. Rule files are kept
    as text and not looked at.
    """
    problems = _unknown_files(files)
    header = _header(files, problems)
    written = Written(
        areas=_section("areas", AreaForm, files, problems),
        households=_section("households", HouseholdForm, files, problems),
        devices=_section("devices", DeviceForm, files, problems),
        members=_section("members", MemberForm, files, problems),
        duties=_section("duties", DutyForm, files, problems),
    )
    problems += check_references(written)
    site = link(header, written, files, problems)
    if site is None or problems:
        raise SiteError(problems)
    return site


def link(
    header: SiteForm | None, written: Written, files: Mapping[str, str], problems: list[Problem]
) -> Site | None:
    """The site of these entries, or None without a header; adds to `problems`."""
    areas = link_areas(written.areas, problems)
    households = link_households(written.households)
    devices = link_devices(written.devices, areas, households, problems)
    members = link_members(written.members)
    duties = link_duties(written.duties, ZoneInfo(header.time_zone if header else "UTC"), problems)
    rules = {path: text for path, text in files.items() if path.startswith(RULES)}
    if header is None:
        return None
    return Site(header.name, header.time_zone, areas, households, devices, members, duties, rules)


def _header(files: Mapping[str, str], problems: list[Problem]) -> SiteForm | None:
    if "site.yaml" not in files:
        hint = "write 'name: {zh: …, en: …}' and 'time_zone: Asia/Shanghai' in it"
        problems.append(Problem("site.yaml", 1, "the file is missing", hint))
        return None
    data, lines, found = scan("site.yaml", files["site.yaml"])
    problems += found
    if found and data is None:
        return None
    placed = read_form(SiteForm, "site.yaml", {} if data is None else data, lines, problems)
    return placed.form if placed else None


def _section(
    name: str, form: type[F], files: Mapping[str, str], problems: list[Problem]
) -> Entries[F]:
    chosen = {path: text for path, text in files.items() if _section_of(path) == name}
    if name == "areas" and not chosen:
        hint = "describe the community and the areas in it there"
        problems.append(Problem("areas.yaml", 1, "the file is missing", hint))
    entries = read_entries(form, chosen, problems)
    entries.sound &= bool(chosen) or name != "areas"
    return entries


def _section_of(path: str) -> str:
    return path.partition("/")[0] if "/" in path else path.removesuffix(".yaml")


def _unknown_files(files: Mapping[str, str]) -> list[Problem]:
    known = {"site", "rules", *SECTIONS}
    return [
        Problem(path, 1, "a site has no such file", _file_hint(path, known))
        for path in files
        if not path.endswith(".yaml")
        or _section_of(path) not in known
        or path == "rules.yaml"
        or path.startswith("site/")
    ]


def _file_hint(path: str, known: set[str]) -> str:
    if not path.endswith(".yaml"):
        return "the name must end in .yaml"
    if path == "rules.yaml":
        return "put it into the folder rules/"
    files = [f"{name}.yaml" for name in sorted(known - {"rules"})]
    return did_you_mean(path, [*files, "rules/"])
