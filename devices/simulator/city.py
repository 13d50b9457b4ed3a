"""A whole community through a span of time: every device's day, its incidents and its faults.

Deterministic from (inventory, span, seed); nothing is held but one pending message a device.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import takewhile

from devices.inventory import Device, Inventory
from devices.simulator.faults import faults
from devices.simulator.habits import speak
from devices.simulator.incidents import Incident, by_device, during, plan, undisturbed
from devices.simulator.message import Message, messages
from devices.simulator.rhythm import Span, generator


class City:
    """The simulated life of all devices of an inventory.

    incidents: the ground truth, by start. Two cities of the same inventory, span and seed say the
    same; a device's readings do not depend on which other devices there are.
    """

    def __init__(self, inventory: Inventory, span: Span, *, seed: int = 1) -> None:
        self._inventory = inventory
        self._span = span
        self._seed = seed
        self.incidents: Sequence[Incident] = plan(inventory, span, seed)

    def messages(self) -> Iterator[Message]:
        """Every message of the span, by the instant at which it is due."""
        shown = by_device(self._inventory, self.incidents)
        ordinary = (
            self._device(device, shown.get(device.id, ()))
            for device in self._inventory.devices.values()
        )
        everything = merge(*ordinary, faults(self._inventory, self._span, self._seed), key=_due)
        return takewhile(lambda message: message.due < self._span.end, everything)

    def _device(self, device: Device, own: Sequence[Incident]) -> Iterator[Message]:
        rng = generator(self._seed, device.community, device.code, str(self._span.start))
        usual = undisturbed(speak(device, self._span, rng), own)
        planted = (during(incident) for incident in own)
        return merge(messages(device, usual), *(messages(device, p) for p in planted), key=_due)


def _due(message: Message) -> int:
    return message.due
