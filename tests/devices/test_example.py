"""The example site reads well: a place says each name once."""

from devices.site import Site, load
from devices.site.model import ascend
from tests.devices.site_files import example


def places(site: Site, language: str) -> dict[str, list[str]]:
    """Device code to the names from its community down to itself."""
    found = {}
    for (_, code), device in site.devices.items():
        above = [a.name[language] for a in ascend(site.areas, device.area)]
        home = [site.households[device.household].name[language]] if device.household else []
        found[code] = [*reversed(above), *home, device.name[language]]
    return found


def test_no_name_repeats_what_is_around_it() -> None:
    site = load(example())
    for language in ("zh", "en"):
        for code, names in places(site, language).items():
            for inner, outer in zip(names[1:], names, strict=False):
                assert outer not in inner, f"{code}: {' · '.join(names)}"
