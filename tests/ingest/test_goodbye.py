"""What was sent last arrives, though much lay unread where it was sent."""

import socket
import threading
from collections.abc import Iterator

import pytest

from ingest.goodbye import Goodbye

UNREAD = b"x" * 100_000


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a TCP connection, ours and the broker's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        with ours, theirs:
            yield ours, theirs


def read_all(sock: socket.socket) -> bytes:
    read = b""
    while part := sock.recv(65_536):
        read += part
    return read


def test_a_plain_close_loses_what_was_sent(ends: tuple[socket.socket, socket.socket]) -> None:
    """Why there is a goodbye at all."""
    ours, theirs = ends
    theirs.sendall(UNREAD)
    ours.sendall(b"acknowledged")
    ours.close()
    with pytest.raises(ConnectionResetError):
        read_all(theirs)


def test_everything_arrives_after_a_goodbye(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(UNREAD)
    goodbye = Goodbye(ours)
    ours.sendall(b"acknowledged")
    ours.close()
    finishing = threading.Thread(target=goodbye.finish, args=(60_000,))
    finishing.start()
    assert read_all(theirs) == b"acknowledged"
    theirs.close()
    finishing.join(60)
    assert not finishing.is_alive()


def test_who_does_not_answer_is_left(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    goodbye = Goodbye(ours)
    ours.close()
    goodbye.finish(1)
    assert theirs.recv(1) == b""


def test_a_connection_that_is_gone_is_no_error(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    goodbye = Goodbye(ours)
    ours.shutdown(socket.SHUT_RDWR)
    ours.close()
    theirs.close()
    goodbye.finish(1)
