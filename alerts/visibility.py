"""Who may see an alert, and so act on it. Pure."""

from collections.abc import Collection, Iterable, Sequence

from alerts.model import DUTY_OFFICER, Duty
from devices.instant import Micros


def may_see(
    member: int,
    *,
    involved: Collection[int],
    nobodys: bool,
    path: Sequence[int],
    category: str,
    duties: Iterable[Duty],
    now: Micros,
) -> bool:
    """True for whoever was told to act or did act, and for those now on duty over its place for its
    category; of what is nobody's, also for those on duty there for anything, and duty officers.

    involved: member ids · nobodys: nobody in service answers for it · path: area ids from the
    alert's place to the root · duties: of any members; only this member's count · now: µs since
    epoch, UTC.
    """
    if member in involved:
        return True
    mine = [d for d in duties if d.member == member and d.in_force(now)]
    if any(d.area in path and d.covers(category, now) for d in mine):
        return True
    return nobodys and any(d.area in path or d.role == DUTY_OFFICER for d in mine)
