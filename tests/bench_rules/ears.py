"""What the plain loop remembers of devices: when each was heard, and what became of gateways."""

from collections import defaultdict
from collections.abc import Iterable

from devices.instant import FOREVER, Micros
from rules.plan import Plan


class Ear:
    """What was heard of one device, as tests.rules.oracle says it."""

    __slots__ = (
        "alive",
        "cut",
        "ever",
        "gateway",
        "heard",
        "lag",
        "left",
        "limit",
        "spoke",
    )

    def __init__(self, known: Micros, limit: Micros, gateway: int) -> None:
        self.heard = self.alive = known
        self.ever = self.spoke = False
        self.left = self.cut = FOREVER
        self.lag = 0
        self.limit = limit
        self.gateway = gateway

    def hear(self, time: Micros, *, offline: bool) -> None:
        """A word of this device."""
        if offline:
            if not self.spoke or time >= self.alive:
                self.left = min(self.left, time)
        elif not self.spoke or time > self.alive:
            self.alive, self.spoke = time, True
            if self.left < time:
                self.left = FOREVER
        if not self.ever or time > self.heard:
            self.heard, self.ever = time, True

    def said(self, *, beats: bool) -> Micros:
        """When it was last heard."""
        return self.heard if beats else self.alive

    def known(self, *, beats: bool) -> bool:
        """Whether it was heard at all."""
        return self.ever if beats else self.spoke

    def own_at(self, *, beats: bool = False) -> Micros:
        """From when it is silent by itself."""
        until = self.said(beats=beats) + self.limit
        return until if beats else min(until, self.left)


class Gateway:
    """A gateway during a batch: gone, ended, back in the server's time."""

    def __init__(self, ear: Ear) -> None:
        self.ear = ear
        self.gone = 0
        self.ended: list[Micros] = []
        self.back: Micros | None = None
        self.returned: Micros | None = None
        self.ahead: Ear | None = None


class Ears:
    """All devices. behind: of each gateway, the devices that are behind it.

    lags: how far behind those are that this batch tells of; counts from `settle` on · heard: the
    devices in it.
    """

    def __init__(self, plan: Plan, now: Micros) -> None:
        limits, gateways = plan.silent_after.tolist(), plan.gateway.tolist()
        self.plan = plan
        self.by_device = {
            device: Ear(now, limit, gateway)
            for device, (limit, gateway) in enumerate(zip(limits, gateways, strict=True))
            if limit
        }
        self.behind: dict[int, list[int]] = defaultdict(list)
        for device, ear in self.by_device.items():
            if ear.gateway >= 0:
                self.behind[ear.gateway].append(device)
        self.gateways = {one: Gateway(self.by_device[one]) for one in self.behind}
        for gateway in self.gateways.values():
            gateway.gone = gateway.ear.own_at()
        self.lags: dict[int, Micros] = {}
        self.heard: Iterable[int] = ()
        self._spoken: set[int] = set()

    def hear_gateway(self, one: int, time: Micros, heard: Micros, *, offline: bool) -> None:
        """Look ahead at what a gateway says in this batch."""
        gateway = self.gateways[one]
        self._spoken.add(one)
        ear = gateway.ahead
        if ear is None:
            ear = gateway.ahead = Ear(gateway.ear.alive, gateway.ear.limit, -1)
            ear.spoke, ear.left = gateway.ear.spoke, gateway.ear.left
        silent_at = min(ear.alive + ear.limit, ear.left)
        if not offline and time > silent_at:
            gateway.ended.append(silent_at + gateway.ear.lag)
            gateway.returned = max(heard, gateway.returned or heard)
        ear.hear(time, offline=offline)
        gateway.gone = min(ear.alive + ear.limit, ear.left) + gateway.ear.lag

    def gone_at(self, ear: Ear) -> Micros:
        """From when its gateway is gone, in the device's time."""
        return FOREVER if ear.gateway < 0 else self.gateways[ear.gateway].gone - ear.lag

    def lost_at(self, ear: Ear, *, beats: bool) -> Micros:
        """From when it is lost with its gateway."""
        said = ear.said(beats=beats)
        lost = ear.cut if ear.cut >= said else FOREVER
        if ear.gateway >= 0:
            gateway = self.gateways[ear.gateway]
            for moment in (gateway.gone, *gateway.ended):
                if said <= moment - ear.lag < lost:
                    lost = moment - ear.lag
        return lost

    def silent_at(self, device: int, *, beats: bool) -> Micros:
        """From when it is silent."""
        ear = self.by_device[device]
        return min(ear.own_at(beats=beats), self.lost_at(ear, beats=beats))

    def missed_at(self, device: int, *, beats: bool) -> Micros:
        """From when it is silent by its own fault."""
        ear = self.by_device[device]
        own = ear.own_at(beats=beats)
        if own <= self.lost_at(ear, beats=beats):
            return own
        back = self.gateways[ear.gateway].back if ear.gateway >= 0 else None
        if back is None or back - ear.lag < ear.said(beats=beats):
            return FOREVER
        again = back - ear.lag + ear.limit
        return again if again <= self.gone_at(ear) else FOREVER

    def settle(self) -> None:
        """The batch is heard: who is cut off with a gateway, and how far behind everybody is."""
        for one in self._spoken:
            gateway = self.gateways[one]
            for start in gateway.ended:
                for device in self.behind[one]:
                    ear = self.by_device[device]
                    if start - ear.lag >= ear.alive:
                        cut = ear.cut if ear.cut >= ear.alive else FOREVER
                        ear.cut = min(start - ear.lag, cut)
            if gateway.returned is not None:
                gateway.back = max(gateway.returned, gateway.back or gateway.returned)
            gateway.ended, gateway.returned, gateway.ahead = [], None, None
        for device, lag in self.lags.items():
            self.by_device[device].lag = lag
        for one in self._spoken:
            gateway = self.gateways[one]
            gateway.gone = gateway.ear.own_at() + gateway.ear.lag

    def touched(self) -> list[int]:
        """The devices for which something may have changed in this batch."""
        hidden = (device for one in self._spoken for device in self.behind[one])
        touched = [*self.heard, *hidden]
        self.lags, self.heard, self._spoken = {}, (), set()
        return touched
