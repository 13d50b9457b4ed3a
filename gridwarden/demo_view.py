"""Shows pictures: a live panel on a terminal, plain lines anywhere else."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live

from gridwarden.terminal import Picture, alert_line, header, line, panel

LINE_EVERY = 12
"""Plain mode: one line of figures in so many pictures; alerts are told at once."""


class View:
    """A view on this console: live where it is a terminal and `plain` is not asked for."""

    def __init__(self, console: Console, *, plain: bool) -> None:
        self._console = console
        self._live = None if plain or not console.is_terminal else Live(console=console)
        self._shown = 0
        self._last_alert: int | None = None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line about what is going on before there is a picture."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, picture: Picture) -> None:
        """The present picture."""
        if self._live:
            self._live.update(panel(picture))
        else:
            self._plainly(picture)
        self._shown += 1

    def _plainly(self, picture: Picture) -> None:
        if self._shown == 0:
            self.say(header(picture))
            self._last_alert = max((a.id for a in picture.books.alerts), default=0)
        for alert in reversed(picture.books.alerts):
            if alert.id > (self._last_alert or 0):
                self.say(alert_line(picture, alert))
                self._last_alert = alert.id
        if self._shown % LINE_EVERY == 0:
            self.say(line(picture))
