"""The demo's view: one picture of the running service, as a panel or as plain lines. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gridwarden.demo_books import AlertLine, Books
from gridwarden.demo_text import word
from gridwarden.latency import Percentiles

COLOURS: Mapping[str, tuple[str, str, str, str]] = MappingProxyType(
    {
        "red": ("#D55E00", "▲", "红", "RED"),
        "orange": ("#E69F00", "◆", "橙", "ORANGE"),
        "yellow": ("#F0E442", "■", "黄", "YELLOW"),
        "blue": ("#56B4E9", "●", "蓝", "BLUE"),
    }
)
"""Severity → colour, icon, word in Chinese and English: colour never stands alone."""


@dataclass(frozen=True, slots=True)
class Picture:
    """All that the view shows. now: aware, in the community's zone · day: its share gone, 0 to 1.

    incidents: verdict → number · accepted: messages of this run · books: see `Books` · note: empty,
    or a key of the words.
    """

    address: str
    members: Sequence[str]
    password: str
    now: datetime
    day: float
    speed: float
    accepted: int
    in_flight: int
    books: Books
    latency: Percentiles
    incidents: Mapping[str, int]
    note: str
    language: str

    def word(self, key: str) -> str:
        """A word of the view in its language."""
        return word(key, self.language)


def panel(picture: Picture) -> RenderableType:
    """The whole view, for a terminal."""
    parts: list[RenderableType] = [_head(picture), _day(picture), _figures(picture)]
    parts.append(_alerts(picture))
    if picture.note:
        parts.append(Text(picture.word(picture.note), style="dim"))
    return Panel(Group(*parts), title="Gridwarden", subtitle=picture.word("stop"))


def line(picture: Picture) -> str:
    """The view as one line, for a log."""
    books, say = picture.books, picture.word
    return (
        f"{picture.now:%m-%d %H:%M}  {say('accepted')} {picture.accepted}  "
        f"{say('stored')} {books.ledger.stored}  {say('duplicate')} {books.ledger.duplicate}  "
        f"{say('rejected')} {books.ledger.rejected}  {say('in_flight')} {picture.in_flight}  "
        f"{say('alerts')} {books.alert_count}  {say('latency')} {latency(picture.latency)}"
    )


def header(picture: Picture) -> str:
    """Where to go and who to be, as one line."""
    return _head(picture).plain + (f"\n{picture.word(picture.note)}" if picture.note else "")


def alert_line(picture: Picture, alert: AlertLine) -> str:
    """One alert as a plain line."""
    _, icon, zh, en = COLOURS[alert.severity]
    colour = zh if picture.language == "zh" else en
    who = alert.who or picture.word("nobody")
    when = alert.fired_at.astimezone(picture.now.tzinfo)
    return f"{when:%m-%d %H:%M:%S} {icon} {colour}  {alert.title}  {alert.place}  → {who}"


def latency(measured: Percentiles) -> str:
    """p50 and p99 in milliseconds, with the number of alerts they are over."""
    if measured.p50 is None or measured.p99 is None:
        return "–"
    p50, p99 = measured.p50 * 1_000, measured.p99 * 1_000
    return f"p50 {p50:.0f} ms  p99 {p99:.0f} ms  (n={measured.count})"


def _head(picture: Picture) -> Text:
    text = Text()
    text.append(f"{picture.word('inbox')} ")
    text.append(picture.address, style=f"bold underline link {picture.address}")
    text.append(f"   {picture.word('sign_in')} ")
    text.append(" / ".join(picture.members), style="bold")
    text.append(f"   {picture.word('password')} ")
    text.append(picture.password, style="bold")
    return text


def _day(picture: Picture) -> RenderableType:
    row = Table.grid(padding=(0, 1))
    when = f"{picture.word('time')} {picture.now:%Y-%m-%d %H:%M:%S} × {picture.speed:g}"
    row.add_row(when, ProgressBar(total=1.0, completed=picture.day, width=40))
    return row


def _figures(picture: Picture) -> RenderableType:
    books, say = picture.books, picture.word
    ledger = books.ledger
    reasons = "  ".join(f"{reason} {n}" for reason, n in books.rejects.items())
    told = "  ".join(f"{channel} {n}" for channel, n in books.notified.items()) or "0"
    balance = say("balanced") if ledger.balances else say("unbalanced")
    found = picture.incidents.get("found", 0) + picture.incidents.get("standing", 0)
    grid = Table.grid(padding=(0, 3))
    grid.add_row(
        f"{say('accepted')} {picture.accepted}",
        f"{say('received')} {ledger.received} = {say('stored')} {ledger.stored}"
        f" + {say('duplicate')} {ledger.duplicate} + {say('rejected')} {ledger.rejected}"
        f"  ({balance}, {say('in_flight')} {picture.in_flight})",
    )
    grid.add_row(f"{say('readings')} {books.readings} / {books.events}", reasons)
    grid.add_row(
        f"{say('alerts')} {books.alert_count} ({say('standing')} {books.standing})",
        f"{say('told')} {told}    {say('latency')} {latency(picture.latency)}",
    )
    grid.add_row(
        f"{say('incidents')} {sum(picture.incidents.values())}",
        f"{say('found')} {found}  {say('missed')} {picture.incidents.get('missed', 0)}",
    )
    return grid


def _alerts(picture: Picture) -> RenderableType:
    table = Table(box=None, padding=(0, 1), expand=True)
    for column in ("", "", "", "", ""):
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    for alert in picture.books.alerts:
        colour, icon, zh, en = COLOURS[alert.severity]
        word = zh if picture.language == "zh" else en
        table.add_row(
            Text(f"{alert.fired_at.astimezone(picture.now.tzinfo):%m-%d %H:%M}"),
            Text(f"{icon} {word}", style=f"bold {colour}"),
            Text(f"{alert.title}  {alert.place}"),
            Text(f"→ {alert.who or picture.word('nobody')}"),
            Text(picture.word(alert.state), style="dim" if alert.state != "open" else ""),
        )
    return table
