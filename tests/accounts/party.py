"""Somebody at the broker, as a test sees them: every answer of the broker is told."""

import queue
import threading
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Self

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WAIT_S = 20.0

PAHO_LEAVES_ITS_SOCKET = pytest.mark.filterwarnings(
    # where the handshake fails, paho-mqtt leaves closing to the garbage collector
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)


@dataclass(frozen=True, slots=True)
class Said:
    """A message that somebody heard."""

    topic: str
    payload: bytes


class Party:
    """Connects at once; `refusal` is the reason code where the broker did not let them in."""

    def __init__(
        self,
        port: int,
        username: str | None = None,
        password: str | None = None,
        *,
        client_id: str | None = None,
        version: str = "5",
        keep: bool = False,
        ca_file: str | None = None,
        tls: bool = False,
    ) -> None:
        five = version == "5"
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id or username or f"party-{token_hex(4)}",
            clean_session=None if five else not keep,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self._client.username_pw_set(username, password)
        if tls or ca_file is not None:
            self._client.tls_set(ca_certs=ca_file)
        self._connected = threading.Event()
        self._gone = threading.Event()
        self._answers: dict[tuple[str, int], list[int]] = {}
        self._changed = threading.Condition()
        self.heard: queue.Queue[Said] = queue.Queue()
        self.refusal = 0
        self.farewell = 0
        self._listen()
        if five:
            wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            wanted.SessionExpiryInterval = 600 if keep else 0
            self._client.connect(
                "localhost" if ca_file else "127.0.0.1",
                port,
                clean_start=not keep,
                properties=wanted,
            )
        else:
            self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._connected.wait(WAIT_S), "no CONNACK"

    def __enter__(self) -> Self:
        assert self.refusal == 0, f"refused with reason code {self.refusal}"
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: str = "1", *, retain: bool = False) -> int:
        """The reason code of the PUBACK; with MQTT 3.1.1, 0."""
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        return self._answer("puback", sent.mid)[0]

    def subscribe(self, topic: str) -> int:
        """The reason code of the SUBACK: 1 where granted."""
        _, mid = self._client.subscribe(topic, qos=1)
        assert mid is not None
        return self._answer("suback", mid)[0]

    def hear(self) -> Said:
        """The next message; AssertionError if none comes."""
        try:
            return self.heard.get(timeout=WAIT_S)
        except queue.Empty:
            raise AssertionError("nothing was heard") from None

    def thrown_out(self) -> bool:
        """Waits until the broker has ended the connection."""
        return self._gone.wait(WAIT_S)

    def _answer(self, kind: str, mid: int) -> list[int]:
        with self._changed:
            found = self._changed.wait_for(lambda: self._answers.get((kind, mid)), WAIT_S)
        assert found, f"no {kind}"
        return found

    def _note(self, kind: str, mid: int, codes: list[int]) -> None:
        with self._changed:
            self._answers[kind, mid] = codes
            self._changed.notify_all()

    def _listen(self) -> None:
        def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
            self.refusal = reason.value if reason.is_failure else 0
            self._connected.set()

        def disconnected(_client: Any, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
            self.farewell = reason.value
            self._gone.set()

        def message(_client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
            self.heard.put(Said(message.topic, bytes(message.payload)))

        self._client.on_connect = connected
        self._client.on_disconnect = disconnected
        self._client.on_message = message
        self._client.on_publish = lambda _c, _d, mid, reason, _m: self._note(
            "puback", mid, [reason.value]
        )
        self._client.on_subscribe = lambda _c, _d, mid, reasons, _m: self._note(
            "suback", mid, [reason.value for reason in reasons]
        )
