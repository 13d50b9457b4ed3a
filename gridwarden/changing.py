"""Devices of a site folder changed and taken out, in whatever file they are described.

The whole site is checked with the change first. Their past stays in the database, with its dates.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from devices.document import Data
from devices.errors import Problem
from devices.site import SiteError
from devices.site.model import Origin
from devices.suggest import did_you_mean
from gridwarden.site import check_files, read_folder
from gridwarden.site_edit import rewritten, taken_out


def without(folder: Path, devices: Sequence[str]) -> dict[str, str]:
    """The files that change, by path, without these devices, each COMMUNITY/CODE.

    SiteError if there is no such device, or the site would be unsound without them.
    """
    files = read_folder(folder)
    found: dict[str, str] = {}
    for source, line in sorted(_places(files, devices), reverse=True):
        found[source] = taken_out(source, found.get(source, files[source]), line)
    check_files({**files, **found})
    return found


def changed(folder: Path, device: str, changes: Mapping[str, Data]) -> dict[str, str]:
    """The file that changes, by path, with these keys of a device changed; None takes a key out.

    device: COMMUNITY/CODE. SiteError as `without`.
    """
    files = read_folder(folder)
    ((source, line),) = _places(files, [device])
    text = rewritten(source, files[source], line, changes)
    check_files({**files, source: text})
    return {source: text}


def _places(files: Mapping[str, str], devices: Sequence[str]) -> set[Origin]:
    """Where each of these devices is described."""
    site, _ = check_files(files)
    places = {f"{community}/{code}": d.origin for (community, code), d in site.devices.items()}
    missing = [name for name in devices if name not in places]
    if missing:
        raise SiteError(
            Problem(name, 1, "the site folder has no such device", did_you_mean(name, places))
            for name in missing
        )
    return {places[name] for name in devices}
