"""Instants in words: how long ago, and the local time. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from alerts.web.language import Speaker

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells instants (aware datetimes) to one reader, at `now`, in `zone`."""

    say: Speaker
    zone: tzinfo
    now: datetime

    def ago(self, moment: datetime) -> str:
        """'3 min ago'; 'just now' within a minute, or if it lies ahead."""
        elapsed = self.now - moment
        if elapsed < timedelta(minutes=1):
            return self.say("time.just_now")
        return self.say("time.ago", span=self.span(elapsed))

    def span(self, elapsed: timedelta) -> str:
        """The two largest units of a span: '1 h 5 min', '3 d'; below a minute, seconds."""
        seconds = max(0, int(elapsed.total_seconds()))
        if seconds < MINUTE_S:
            return self.say("time.seconds", n=seconds)
        days, rest = divmod(seconds, DAY_S)
        hours, rest = divmod(rest, HOUR_S)
        parts = (("time.days", days), ("time.hours", hours), ("time.minutes", rest // MINUTE_S))
        first = next(i for i, (_, n) in enumerate(parts) if n)
        return " ".join(self.say(key, n=n) for key, n in parts[first : first + 2] if n)

    def clock(self, moment: datetime) -> str:
        """Local date and time; today's without the date, another year's with the year."""
        local, today = moment.astimezone(self.zone), self.now.astimezone(self.zone)
        time = f"{local:%H:%M}"
        if local.date() == today.date():
            return self.say("time.today", time=time)
        return f"{self.date(local, with_year=local.year != today.year)} {time}"

    def date(self, local: datetime, *, with_year: bool) -> str:
        """'21 Nov' or '11月21日'."""
        parts = {"year": local.year, "month": local.month, "day": local.day, "name": f"{local:%b}"}
        return self.say("time.date_with_year" if with_year else "time.date", **parts)

    def tick(self, moment: datetime, span: timedelta) -> str:
        """A short label on an axis of this span: the time of day, or the date past two days."""
        local = moment.astimezone(self.zone)
        return f"{local:%H:%M}" if span <= timedelta(days=2) else f"{local.month}/{local.day}"

    def exact(self, moment: datetime) -> str:
        """Local date and time to the second, with the offset from UTC."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M:%S %z}"

    def seconds(self, moment: datetime) -> str:
        """Local time of day to the second, with the date where it is not today's."""
        local, today = moment.astimezone(self.zone), self.now.astimezone(self.zone)
        time = f"{local:%H:%M:%S}"
        return time if local.date() == today.date() else f"{local:%m-%d} {time}"
