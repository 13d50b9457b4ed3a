"""A rule of every kind, each over a small place that has what they watch. Whole seconds."""

from collections.abc import Mapping
from typing import Any

from devices.inventory import Inventory
from rules.correlation import CorrelationMemory
from rules.in_a_row import InARowMemory
from rules.measured import BaselineMemory, GrowthMemory, PaneMemory, SetMemory
from rules.memory import AbsenceMemory, ThresholdMemory, WindowMemory
from rules.model import Rule
from rules.occupancy import OccupancyMemory
from rules.replaced import ReplacedMemory
from rules.risk import RiskMemory
from rules.score import ScoreMemory
from rules.sequence_memory import MissingMemory, SequenceMemory, WithoutMemory
from tests.rules.community import CARE_HOME, device, inventory, rule

METER, ENTRY = 20, 21

TEXTS: Mapping[type[Any], str] = {
    ThresholdMemory: "watch: {metric: pulse}\nwhen: pulse >= 130",
    AbsenceMemory: "watch: {metric: pulse}\nabsent: 1m",
    WindowMemory: "watch: {metric: pulse}\nwhen: count >= 2\nwithin: 1m",
    SequenceMemory: "first: {metric: sos}\nthen: {metric: pulse, where: pulse > 0}\nwithin: 30s\n"
    "same: household",
    MissingMemory: "first: {metric: sos}\nthen: {metric: motion, where: motion == 1}\n"
    "within: 30s\nsame: household\nmissing: true",
    WithoutMemory: "watch: {metric: motion}\nwhen: motion == 1\n"
    "without: {metric: sos, within: 10s}\nsame: household",
    ReplacedMemory: "watch: {metric: access_granted}\nreplaced: 366d",
    ScoreMemory: "score: news2\nwhen: total >= 5",
    OccupancyMemory: "watch: {metric: motion}\nshare: motion == 1\nper: household\n"
    "when: number > 1",
    InARowMemory: "watch: {metric: pulse}\nin_a_row: 3\nwhen: pulse >= 130",
    CorrelationMemory: "watch: {metric: motion}\ndevices: 2\nwithin: 1m\nwhen: motion == 1\n"
    "per: household",
    PaneMemory: "watch: {metric: pulse}\nwithin: 1m\nwhen: mean > 130",
    GrowthMemory: "watch: {metric: water_volume}\nwithin: 1m\nwhen: rise > 1",
    SetMemory: "watch: {metric: pulse}\nwithin: 1m\nwhen: distinct > 1",
    BaselineMemory: "watch: {metric: pulse}\n"
    "baseline: {of: mean, every: 1h, season: day, history: 3d}\n"
    "when: deviation >= 4\nseverity: blue",
    RiskMemory: "index: {weights: {red: 1}}\nper: building\nwhen: index >= 1",
}
"""By the class of what the kind remembers."""

KINDS: Mapping[type[Any], Rule] = {
    kind: rule(f"every.{kind.__name__.lower()}", text) for kind, text in TEXTS.items()
}


def place() -> Inventory:
    """The community with a water meter and an entry beside."""
    plain = inventory(away=())
    more = (
        device(METER, "water_meter", ("water_volume",), household=CARE_HOME),
        device(ENTRY, "door", ("access_granted",)),
    )
    return Inventory.of(
        plain.areas.values(), plain.households.values(), (*plain.devices.values(), *more)
    )
