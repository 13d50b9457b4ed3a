"""A device maker's publisher for tests: QoS 1, and it knows what the broker has accepted."""

import threading
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode


class Publisher:
    """Publishes with at most `window` messages unacknowledged; sends again what was not."""

    def __init__(self, url: str, client_id: str, *, window: int = 500) -> None:
        parts = urlsplit(url)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False)
        self._client.max_inflight_messages_set(window)
        self._client.max_queued_messages_set(0)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = self._accepted
        self._room = threading.Semaphore(window)
        self._change = threading.Condition()
        self.accepted = 0
        self._client.connect(parts.hostname or "127.0.0.1", parts.port or 1883)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish; waits while the window is full."""
        self._room.acquire()
        self._client.publish(topic, payload, qos=1)

    def wait_for(self, accepted: int, at_most_s: float = 60) -> None:
        """Return once the broker has acknowledged so many; AssertionError if it does not."""
        with self._change:
            reached = self._change.wait_for(lambda: self.accepted >= accepted, at_most_s)
        assert reached, f"the broker acknowledged {self.accepted} of {accepted}"

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _accepted(
        self,
        _client: mqtt.Client,
        _data: object,
        _mid: int,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        with self._change:
            self.accepted += 1
            self._change.notify_all()
        self._room.release()
