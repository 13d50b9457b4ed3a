"""The plain loop of what is missing: since when each subject is waited for, and by which device."""

from devices.instant import FOREVER, NEVER, Micros
from rules.plan import RulePlan
from rules.sequence_memory import LATE
from rules.transition import Cause, Change
from tests.bench_rules.ears import Ears
from tests.bench_rules.joined import JoinedTrack, Name, Played
from tests.bench_rules.track import Key, again


class _Wait:
    """Of one name. begun: since when, by which device · asked, answered: the last of each part."""

    __slots__ = ("answered", "asked", "begun")

    def __init__(self) -> None:
        self.begun: tuple[Micros, int] | None = None
        self.asked = self.answered = NEVER


class MissingTrack(JoinedTrack):
    """A, but no B."""

    part = 1

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        self._waits: dict[Key, dict[Name, _Wait]] = {}
        self._since: dict[Key, Micros] = {}
        self._unsure: dict[Key, Micros] = {}

    def silence_ended(self, key: Key, at: Micros, time: Micros) -> None:
        for wait in self._waits.get(key, {}).values():
            self._advance(key, wait, time)
            if wait.begun and wait.begun[0] < time and at < wait.begun[0] + self.within:
                wait.begun = None
        self._unsure[key] = max(time, self._unsure.get(key, NEVER))

    def play(self, name: Name, played: Played, value: float) -> None:  # noqa: ARG002
        key, time = name[0], played.time
        wait = self._waits.setdefault(key, {}).setdefault(name, _Wait())
        if played.role > 0 and time > wait.answered:
            self._advance(key, wait, time)
            self._answer(key, wait, played)
        if played.role < 2 and time > max(wait.asked, wait.answered):
            self._begin(key, wait, played)

    def _answer(self, key: Key, wait: _Wait, played: Played) -> None:
        if wait.begun and wait.begun[0] <= played.time:
            wait.begun = None
        wait.answered = played.time
        since = self._since.get(key, FOREVER)
        if since <= played.time:
            del self._since[key]
            span, ids = (since, max(played.time, since + self.within)), (played.device,)
            self.say(Change.CLEARED, Cause.HEARD, key, span, value=None, devices=ids)

    def _begin(self, key: Key, wait: _Wait, played: Played) -> None:
        if played.time < max(self.floor(key), self._unsure.get(key, NEVER)):
            return
        self._advance(key, wait, played.time)
        wait.asked = played.time
        if key not in self._since:
            wait.begun = wait.begun or (played.time, played.device)

    def _advance(self, key: Key, wait: _Wait, time: Micros) -> None:
        """Before this, fire what was due by then, or give it up."""
        if wait.begun is None or wait.begun[0] + self.within >= time:
            return
        since, device = wait.begun
        due = since + self.within
        if all(self.silent_at(one) >= due for one in self.excused_by(key)):
            wait.begun = None
            if not self.named:
                self._since[key] = since
            cause = Cause.UNANSWERED if self.named else Cause.NOT_FOLLOWED
            self.fire(key, cause, (since, due), [device], None)
        elif due + LATE < time:
            wait.begun = None

    def tick(self, key: Key, now: Micros) -> Micros:
        waits, next_ = self._waits.get(key), FOREVER
        if not waits:
            return FOREVER
        until = now - self.lag(self.excused_by(key))
        for name in sorted(waits):
            wait = waits[name]
            self._advance(key, wait, until)
            if wait.begun is not None:
                next_ = min(next_, wait.begun[0] + self.within + 1)
            elif max(wait.asked, wait.answered) < self.floor(key):
                del waits[name]
        return FOREVER if next_ == FOREVER else again(next_, now)
