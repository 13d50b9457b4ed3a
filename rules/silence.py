"""When each device was last heard, and from when it is silent: by itself, or lost with its gateway.

A gateway that said 'offline', or is past its own silence limit, is gone. A device that was not
heard since its gateway went is lost: silent from that moment on, until it is heard, also when the
gateway is back before. Only the device's own silence is its own fault: what a gateway takes with it
raises no alert of the device, whose time begins anew when the gateway is back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices.instant import FOREVER, NEVER, Micros
from devices.reading import I32, I64, Bool
from rules.sparse import Column, Sparse

Rows = npt.NDArray[np.intp]
Ids: TypeAlias = I32 | I64
"""Of devices."""


@dataclass(frozen=True, slots=True, eq=False)
class Outages:
    """Outages of gateways; times in µs of the server's clock.

    heard, gone: (m,) the gateways that spoke in a batch, ascending, and from when each is gone
    unless heard again · gateway, start, end: (k,) those of them whose outage ended in it.
    """

    heard: I64
    gone: I64
    gateway: I64
    start: I64
    end: I64

    @classmethod
    def none(cls) -> "Outages":
        """Where no gateway spoke."""
        nothing = np.empty(0, np.int64)
        return cls(nothing, nothing, nothing, nothing, nothing)

    def lost(self, devices: Ids, alive: I64, silence: "Silence") -> I64:
        """From when each, last heard at `alive`, is lost, in its own time; FOREVER where not."""
        lost = silence.cut_since(devices, alive)
        behind = (silence.gateway.take(devices) >= 0).nonzero()[0]
        if not len(behind):
            return lost
        mine, since = devices[behind], alive[behind]
        gateway, lag = silence.gateway[mine], silence.lag[mine]
        sooner = _earlier(lost[behind], self._gone(gateway, silence) - lag, since)
        for one, start in zip(self.gateway.tolist(), self.start.tolist(), strict=True):
            sooner = _earlier(sooner, np.where(gateway == one, start - lag, FOREVER), since)
        lost[behind] = sooner
        return lost

    def _gone(self, gateways: Ids, silence: "Silence") -> I64:
        gone = silence.gone_from(gateways)
        if len(self.heard):
            place = np.minimum(np.searchsorted(self.heard, gateways), len(self.heard) - 1)
            gone = np.where(self.heard[place] == gateways, self.gone[place], gone)
        return gone


def _earlier(lost: I64, gone: I64, alive: I64) -> I64:
    """The first moment of loss of those not heard after their gateway had gone."""
    return np.minimum(lost, np.where(gone >= alive, gone, FOREVER))


class Behind:
    """Which devices are behind which gateway; worked out when it is asked for."""

    def __init__(self, gateway: I32, gateways: I32) -> None:
        self._gateway, self._gateways = gateway, gateways

    @cached_property
    def _is_gateway(self) -> Bool:
        flags = np.zeros(len(self._gateway), np.bool_)
        flags[self._gateways] = True
        return flags

    @cached_property
    def place(self) -> I32:
        """Of each device, by its id, where among the gateways its own stands; behind them all
        where it has none.
        """
        place = np.full(len(self._gateway), len(self._gateways), np.int32)
        behind = np.flatnonzero(self._gateway >= 0)
        place[behind] = self._gateways.searchsorted(self._gateway[behind])
        return place

    @cached_property
    def _by_gateway(self) -> tuple[Rows, Rows]:
        """The devices that are behind any, by gateway, and where those of each begin."""
        behind = np.flatnonzero(self._gateway >= 0)
        devices = behind[np.argsort(self._gateway[behind], kind="stable")]
        starts = np.searchsorted(self._gateway[devices], self._gateways)
        return devices, np.append(starts, len(devices))

    def is_gateway(self, devices: Ids) -> Bool:
        """Which of these have others behind them."""
        return self._is_gateway.take(devices)

    def of(self, gateways: Ids) -> tuple[Rows, Rows]:
        """The devices behind these, gateway by gateway, and how many behind each."""
        devices, starts = self._by_gateway
        place = self._gateways.searchsorted(gateways)
        start = starts.take(place)
        count = starts.take(place + 1) - start
        ends = count.cumsum()
        rows = (start - ends + count).repeat(count)
        rows += np.arange(len(rows))
        return devices.take(rows), count


@dataclass(slots=True, eq=False)
class Silence:
    """When each device was last heard, by device id; int64 µs where nothing else is said.

    heard, ever: event time of its last reading, and bool, whether there was one; of a device never
    heard, when it became known · alive, spoke: the same of readings other than 'offline'
    lag: how far its last reading was behind the server's clock, never below 0
    left: when it first said 'offline' since it was alive; FOREVER where it did not
    cut: since when it was lost with a gateway that is back, FOREVER where it was not; counts where
    it is not before `alive` · back: of a gateway, when it was last heard after having been gone, in
    the server's time; NEVER before the first time
    silent_after: the limit · gateway: int32, the device it is behind, below 0 where none
    gateways: int32 (m,), those that others are behind, ascending · behind: the same, by gateway
    heartbeats: as rules on `heartbeat` see it, to whom 'offline' is a reading.
    """

    heard: I64
    ever: Bool
    lag: I64
    alive: I64
    spoke: Bool
    left: Sparse[np.int64]
    cut: Sparse[np.int64]
    back: Sparse[np.int64]
    silent_after: I64
    gateway: I32
    gateways: I32
    behind: Behind
    heartbeats: bool = False
    _by_gateway: I64 | None = field(default=None, init=False)
    _twin: "Silence | None" = field(default=None, init=False)

    def copy(self) -> "Silence":
        """The same in arrays of its own, but for the limits and gateways, which nobody changes."""
        own = {name: array.copy() for name, array in self.kept().items()}
        return Silence(
            **own,  # type: ignore[arg-type]
            silent_after=self.silent_after,
            gateway=self.gateway,
            gateways=self.gateways,
            behind=self.behind,
            heartbeats=self.heartbeats,
        )

    def kept(self) -> Mapping[str, Column]:
        """The columns that change with what is heard, by name."""
        fixed = ("silent_after", "gateway", "gateways", "behind", "heartbeats")
        names = [f.name for f in fields(self) if f.init and f.name not in fixed]
        return {name: getattr(self, name) for name in names}

    def of_heartbeats(self) -> "Silence":
        """The same as rules on `heartbeat` see it, always the same one. Shares its arrays."""
        if self._twin is None:
            self._twin = replace(self, heartbeats=True)
        return self._twin

    def said(self, devices: Ids) -> I64:
        """When each was last heard, in its own time."""
        return (self.heard if self.heartbeats else self.alive).take(devices)

    def known(self, devices: Ids) -> Bool:
        """Which were heard at all."""
        return (self.ever if self.heartbeats else self.spoke).take(devices)

    def away(self, devices: Ids) -> I64:
        """When each said 'offline' after that, in its own time; FOREVER where it did not."""
        if self.heartbeats:
            return np.full(len(devices), FOREVER, np.int64)
        left: I64 = self.left[devices]
        return left

    def away_of(self, devices: I64) -> I64 | None:
        """As `away`; None where none of them did."""
        return None if self.heartbeats else self.left.unlike(devices)

    def own_at(self, devices: Ids) -> I64:
        """From when each is silent by itself unless it is heard again, in its own time."""
        limit: I64 = self.said(devices) + self.silent_after[devices]
        return np.minimum(limit, self.away(devices))

    def gone_from(self, gateways: Ids) -> I64:
        """From when each gateway is gone unless it is heard again, in the server's time."""
        limit: I64 = self.alive[gateways] + self.silent_after[gateways]
        until: I64 = np.minimum(limit, self.left[gateways]) + self.lag[gateways]
        return until

    @property
    def gone(self) -> I64:
        """From when each of `gateways` is gone, as `gone_from`, and FOREVER behind them, (m + 1,).

        Kept until `gateways_changed`.
        """
        if self._by_gateway is None:
            self._by_gateway = np.append(self.gone_from(self.gateways), FOREVER)
        return self._by_gateway

    def gateways_changed(self, gateways: I64) -> None:
        """Take note of it where something else is known of these now."""
        if len(gateways) and self._by_gateway is not None:
            self._by_gateway[self.gateways.searchsorted(gateways)] = self.gone_from(gateways)

    def cut_since(self, devices: Ids, alive: I64) -> I64:
        """Since when each, last heard at `alive`, was lost with a gateway that is back."""
        cut = self.cut[devices]
        return np.where(cut >= alive, cut, FOREVER)

    def lost_at(self, devices: Ids) -> I64:
        """From when each is lost with its gateway, in its own time; FOREVER where it is not.

        A moment to come is that at which the gateway will be gone unless it is heard again.
        """
        alive = self.said(devices)
        return _earlier(self.cut_since(devices, alive), self._gone(devices), alive)

    def silent_at(self, devices: Ids) -> I64:
        """From when in its own time each counts as silent unless it is heard again."""
        return np.minimum(self.own_at(devices), self.lost_at(devices))

    def alive_until(self, devices: Ids) -> I64:
        """As `silent_at`, in the server's time; NEVER for those that were never heard."""
        until = self.silent_at(devices) + self.lag[devices]
        return np.where(self.known(devices), until, NEVER)

    def missed_at(self, devices: Ids) -> I64:
        """From when each is silent by its own fault, in its own time; FOREVER where it is not.

        One that was lost with its gateway has its whole limit again from the gateway's return.
        """
        own, again = self.own_at(devices), self._again_at(devices)
        again = np.where(again <= self._gone(devices), again, FOREVER)
        return np.where(own <= self.lost_at(devices), own, again)

    def missed_from(self, devices: Ids, now: Micros) -> I64:
        """Not after `missed_at`, also when more is heard of gateways that are there at `now`."""
        lag, gone = self.lag[devices], self._gone(devices)
        own, again, lost = self.own_at(devices), self._again_at(devices), self.lost_at(devices)
        again = np.where((again > gone) & (gone < now - lag), FOREVER, again)
        return np.where((lost < own) & (lost < now - lag), again, own)

    def _again_at(self, devices: Ids) -> I64:
        again = self._back(devices)
        known = again >= self.said(devices)
        return np.where(known, np.where(known, again, 0) + self.silent_after[devices], FOREVER)

    def absent_from(self, devices: Ids, last: I64, elapse: Callable[[I64], I64]) -> I64:
        """From when, last heard at `last`, each has been absent for so long; in the server's time.

        elapse: when so long has gone by since each of some instants. Its gateway was there all
        that time; FOREVER where it was not.
        """
        back, gone = self._back(devices), self._gone(devices)
        lag, alive = self.lag[devices], self.said(devices)
        due = elapse(np.maximum(last, np.where(back == NEVER, NEVER, back + lag)))
        there = (gone < alive) | (due - lag <= gone)
        return np.where(there, due, FOREVER)

    def note(self, outages: Outages) -> None:
        """Remember, in place, the outages that ended; `alive` is as after them, `lag` as before."""
        ended = zip(
            outages.gateway.tolist(), outages.start.tolist(), outages.end.tolist(), strict=True
        )
        for one, start, end in ended:
            behind, _ = self.behind.of(np.array([one]))
            gone = start - self.lag[behind]
            cut = self.cut_since(behind, self.alive[behind])
            self.cut.put(behind, _earlier(cut, gone, self.alive[behind]))
            self.back[one] = max(int(self.back[one]), end)

    def outlive(self, devices: Ids) -> Bool:
        """Which of these were heard after their gateway went, as far as is known of it.

        Should the gateway be heard too, they may be lost with it sooner than their own silence.
        """
        return self._gone(devices) < self.said(devices)

    def _gone(self, devices: Ids) -> I64:
        """From when each one's gateway is gone, in the device's time; FOREVER without a gateway."""
        gateway = self.gateway[devices]
        behind = gateway >= 0
        gone = np.full(len(devices), FOREVER, np.int64)
        gone[behind] = self.gone_from(gateway[behind]) - self.lag[devices[behind]]
        return gone

    def _back(self, devices: Ids) -> I64:
        """When each one's gateway last came back, in the device's time; NEVER if it did not."""
        gateway = self.gateway[devices]
        back = np.where(gateway >= 0, self.back[gateway], NEVER)
        return np.where(back == NEVER, NEVER, back - np.where(back == NEVER, 0, self.lag[devices]))


def nothing_heard(size: int) -> Silence:
    """Of devices that are not known yet; their limits and gateways are left open."""
    never, forever = np.int64(NEVER), np.int64(FOREVER)
    return Silence(
        heard=np.full(size, NEVER, np.int64),
        ever=np.zeros(size, np.bool_),
        lag=np.zeros(size, np.int64),
        alive=np.full(size, NEVER, np.int64),
        spoke=np.zeros(size, np.bool_),
        left=Sparse(size, forever),
        cut=Sparse(size, forever),
        back=Sparse(size, never),
        silent_after=np.zeros(size, np.int64),
        gateway=np.full(size, -1, np.int32),
        gateways=np.empty(0, np.int32),
        behind=Behind(np.full(size, -1, np.int32), np.empty(0, np.int32)),
    )
