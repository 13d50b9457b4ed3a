"""A site folder with its rules: read from disk, checked as one, described as the registry takes it.

The devices' vocabulary checks the site, the rules' loader checks the rules; what only both together
can be wrong about is checked here.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from devices.errors import Problem
from devices.registry import RuleText
from devices.site import Site, SiteError, load
from devices.suggest import did_you_mean
from gridwarden.rule_library import library_texts
from rules import loader
from rules.errors import RulesError
from rules.model import Rule
from rules.plan import per_of

_SUFFIXES = {".yaml", ".yml"}


def read_folder(folder: Path) -> dict[str, str]:
    """The YAML files below this folder by their path in it, with '/', in alphabetical order.

    Hidden files and files of other kinds are left out. SiteError where there is no such folder, or
    a file cannot be read as UTF-8.
    """
    if not folder.is_dir():
        hint = "give the folder that holds site.yaml"
        raise SiteError([Problem(str(folder), 1, "there is no such folder", hint)])
    files: dict[str, str] = {}
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix not in _SUFFIXES or any(part.startswith(".") for part in inside.parts):
            continue
        try:
            files[inside.as_posix()] = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            problems.append(_not_utf8(inside.as_posix(), error))
        except OSError as error:
            problems.append(Problem(inside.as_posix(), 1, f"cannot be read: {error.strerror}"))
    if problems:
        raise SiteError(problems)
    return files


def _not_utf8(source: str, error: UnicodeDecodeError) -> Problem:
    line = error.object[: error.start].count(b"\n") + 1
    what = f"byte 0x{error.object[error.start]:02x} is not UTF-8"
    return Problem(source, line, what, "save the file with the encoding UTF-8")


def check(folder: Path) -> tuple[Site, tuple[Rule, ...]]:
    """The site and the rules of this folder; SiteError with every problem of both together."""
    return check_files(read_folder(folder))


def check_files(files: Mapping[str, str]) -> tuple[Site, tuple[Rule, ...]]:
    """As `check`, for files by their path in the site folder."""
    problems: list[Problem] = []
    site, rules = None, None
    try:
        site = load(files)
    except SiteError as error:
        problems += error.problems
    try:
        own = {path: text for path, text in files.items() if _is_rules(path)}
        rules = loader.load(own, library_texts(), whole=True)
    except RulesError as error:
        problems += error.problems
    if site is None or rules is None:
        raise SiteError(problems)
    problems += _unknown_names(site, rules)
    if problems:
        raise SiteError(problems)
    return site, rules


def _is_rules(path: str) -> bool:
    return path.startswith("rules/") and path.endswith(".yaml")


def rule_texts(rules: Iterable[Rule]) -> list[RuleText]:
    """The rules as the registry keeps them."""
    return [RuleText(r.code, r.fingerprint, r.source, r.line, r.text) for r in rules]


def _unknown_names(site: Site, rules: Sequence[Rule]) -> Iterator[Problem]:
    """Places and devices that rules name and the site does not have: such a rule never fires."""
    devices = {code for _, code in site.devices}
    kinds = {area.kind for area in site.areas.values()}
    for rule in rules:
        yield from _unknown(rule, "area", rule.watch.areas, site.areas)
        yield from _unknown(rule, "device", rule.watch.devices, devices)
        kind = per_of(rule).area_kind
        yield from _unknown(rule, "kind of area", {kind} - {""}, kinds)


def _unknown(
    rule: Rule, what: str, names: Collection[str], known: Collection[str]
) -> Iterator[Problem]:
    for name in sorted(set(names) - set(known)):
        text = f"rule {rule.code} names {what} {name!r}, which the site does not have"
        yield Problem(rule.source, rule.line, text, did_you_mean(name, known))
