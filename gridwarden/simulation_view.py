"""What `gridwarden simulate` shows while it works: bars, simulated time, messages a second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from devices.instant import SECOND, Micros, to_datetime
from devices.simulator.rhythm import Span
from gridwarden.clock import WallClock
from gridwarden.simulation import Figures

console = Console()


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar that each call moves on by one; it is gone in the end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


class Shown(Progress):
    """Simulated time, messages a second made and acknowledged, connections."""

    def __init__(self, span: Span, connections: int) -> None:
        super().__init__(TextColumn("{task.description}"), BarColumn(), console=console)
        self._span = span
        self._connections = connections
        self._began = self._last = WallClock().now()
        self._figures = Figures()
        self._bar = self.add_task("starting", total=span.end - span.start)

    def tell(self, figures: Figures) -> None:
        """How far it is; shown about once a second."""
        now: Micros = WallClock().now()
        passed = (now - self._last) / SECOND
        if passed < 1 or not figures.now:
            return
        made = (figures.made - self._figures.made) / passed
        accepted = (figures.accepted - self._figures.accepted) / passed
        local = to_datetime(figures.now).astimezone(self._span.zone)
        text = (
            f"{local:%m-%d %H:%M:%S}  {made:.0f} messages/s  {accepted:.0f} acknowledged/s  "
            f"connections {self._connections}"
        )
        done = figures.now - self._span.start
        self.update(self._bar, description=text, completed=done)
        self._last, self._figures = now, figures
