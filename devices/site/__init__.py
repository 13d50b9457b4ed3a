"""A site folder: a community described as data. `load` reads one, or says all that is wrong."""

from devices.site.loader import load
from devices.site.model import (
    AreaEntry,
    DeviceEntry,
    DutyEntry,
    HouseholdEntry,
    MemberEntry,
    Origin,
    Site,
    SiteError,
)

__all__ = [
    "AreaEntry",
    "DeviceEntry",
    "DutyEntry",
    "HouseholdEntry",
    "MemberEntry",
    "Origin",
    "Site",
    "SiteError",
    "load",
]
