"""Serves the inbox inside a program that runs other things too."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from alerts.web.app import end_streams


class InboxServer(uvicorn.Server):
    """A server that leaves signals to the program and ends live streams when it stops.

    `serve()` runs until `stop()`; `ready` is set once it accepts connections.
    """

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        self._app = app
        self.ready = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )

    @property
    def port(self) -> int:
        """The port it listens on, once ready; the one the system chose where 0 was asked for."""
        address: tuple[str, int] = self.servers[0].sockets[0].getsockname()[:2]
        return address[1]

    def stop(self) -> None:
        """Ends the streams and lets `serve()` return; idempotent."""
        end_streams(self._app)
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the program."""
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until `stop()`; a cancelled server, too, first ends its application in order."""
        try:
            await super().serve(sockets)
        except asyncio.CancelledError:
            if self.started:
                await self.shutdown(sockets)
            raise

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts listening. Where it cannot, `serve()` returns and `ready` is never set."""
        try:
            await super().startup(sockets)
        except SystemExit:  # ending the program, and how, is for the program to decide
            self.should_exit = True
        if self.started:
            self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops listening, streams first: the server waits for every open response."""
        end_streams(self._app)
        await super().shutdown(sockets)
