"""A connection ended so that the other side reads everything that was sent on it.

A socket that is closed while something lies in it unread tells the other side by a reset, which
throws away there what has arrived and is not read yet: the last acknowledgements, then.
"""

import os
import select
import socket
from contextlib import suppress

_AT_ONCE = 65_536


class Goodbye:
    """Made while the socket is open, and finished after it was closed."""

    def __init__(self, sock: socket.socket) -> None:
        self._twin = socket.socket(fileno=os.dup(sock.fileno()))

    def finish(self, patience: int) -> None:
        """Say that nothing more comes, and read until the other side ends too; never raises.

        patience: ms without a word after which it is ended in any case.
        """
        with self._twin as twin, suppress(OSError):
            twin.setblocking(False)
            twin.shutdown(socket.SHUT_WR)
            poll = select.poll()
            poll.register(twin, select.POLLIN)
            while poll.poll(patience) and twin.recv(_AT_ONCE):
                pass
