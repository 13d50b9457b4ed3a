"""The demo's own database and broker: kept from run to run, gone when it ends."""

import os
import signal
import socket
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from devices.simulator.publish import Address, Publisher
from gridwarden.embedded import (
    EmbeddedError,
    broker,
    exclusive,
    kept_port,
    listens,
    postgres,
)


def test_data_survive_a_stop_and_nothing_runs_afterwards(tmp_path: Path) -> None:
    with postgres(tmp_path) as url, psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE kept (n int)")
        conn.execute("INSERT INTO kept VALUES (7)")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    with postgres(tmp_path) as url, psycopg.connect(url) as conn:
        assert conn.execute("SELECT n FROM kept").fetchall() == [(7,)]


def test_one_demo_at_a_time_has_a_state_folder(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(EmbeddedError, match="another demo is running"):
        exclusive(tmp_path).__enter__()
    with exclusive(tmp_path):
        assert (tmp_path / "lock").exists()


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="file/state cannot be used"):
        exclusive(tmp_path / "file" / "state").__enter__()


def test_ports_are_kept_while_free(tmp_path: Path) -> None:
    port = kept_port(tmp_path, "web")
    assert kept_port(tmp_path, "web") == port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert kept_port(tmp_path, "web") != port
        with pytest.raises(EmbeddedError, match=f"port {port} on 127.0.0.1 is taken"):
            kept_port(tmp_path, "web", wanted=port)


def test_the_embedded_amqtt_keeps_a_session_and_waits_for_acknowledgements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_kwargs: None)
    with broker(tmp_path) as running:
        assert running.program == "amqtt"
        address = Address.parse(running.url)
        with Session(address) as first:
            assert first.subscribed.wait(10)
        with Publisher(address, window=50) as publisher:
            for n in range(120):
                publisher.publish("gw/v1/hx/d/up", b"%d" % n)
            publisher.drain()
            assert publisher.accepted == publisher.sent == 120
        with Session(address, expect=120) as second:
            assert second.complete.wait(10), len(second.received)
        assert sorted(map(int, second.received)) == list(range(120))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.host, address.port)).close()


class Session:
    """A persistent session with manual acknowledgement, as the ingest has one."""

    def __init__(self, address: Address, expect: int = -1) -> None:
        self.received: list[bytes] = []
        self.subscribed = threading.Event()
        self.complete = threading.Event()
        self._expect = expect
        self._address = address
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id="ingest",
            clean_session=False,
            protocol=mqtt.MQTTv311,
            manual_ack=True,
        )
        self._client.username_pw_set(address.user, address.password)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self.subscribed.set()

    def __enter__(self) -> "Session":
        self._client.connect(self._address.host, self._address.port)
        self._client.loop_start()
        self._client.subscribe("gw/v1/+/+/up", qos=1)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.received.append(bytes(message.payload))
        client.ack(message.mid, message.qos)
        if len(self.received) == self._expect:
            self.complete.set()


def test_a_broker_that_was_killed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_kwargs: None)
    with broker(tmp_path) as running:
        running.child.check()
        os.kill(commands_of(running.child.process.pid)[0], signal.SIGKILL)
        running.child.process.wait(10)
        with pytest.raises(EmbeddedError, match=r"the broker \(amqtt\) has ended \(killed by SIG"):
            running.child.check()


def test_nothing_is_left_when_the_tether_itself_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_kwargs: None)
    with broker(tmp_path) as running:
        port = Address.parse(running.url).port
        running.child.process.kill()
        running.child.process.wait(10)
        assert listens(port)
    assert not listens(port)


def commands_of(pid: int) -> list[int]:
    """The children of this process."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
