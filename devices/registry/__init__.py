"""The registry: areas, households, devices, members, duties and rules in the database, dated.

Every function takes an async connection whose transaction is the caller's, reading committed (the
default). Nothing is ever deleted: what vanishes from a site is retired or ended, and comes back
with its id and its history.
"""

from devices.registry.apply import apply_site, lock_site, plan_changes
from devices.registry.inventory import load_inventory
from devices.site.changes import ChangeKind, FieldChange, RuleText, SiteChange
from devices.site.fields import Section

__all__ = [
    "ChangeKind",
    "FieldChange",
    "RuleText",
    "Section",
    "SiteChange",
    "apply_site",
    "load_inventory",
    "lock_site",
    "plan_changes",
]
