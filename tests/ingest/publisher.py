"""Publishes as a device would, and counts what the broker has accepted."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from ingest.address import parse_address


class Publisher:
    """A connected client; `publish` returns when the broker has acknowledged everything."""

    def __init__(self, url: str) -> None:
        self._address = parse_address(url)
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(1_000)

    def __enter__(self) -> Self:
        self._client.connect(self._address.host, self._address.port)
        self._client.loop_start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(
        self, messages: Iterable[tuple[str, bytes]], *, retain: bool = False, qos: int = 1
    ) -> int:
        """Publish these (topic, payload); how many the broker has accepted: all of them."""
        sent = [self._client.publish(t, p, qos=qos, retain=retain) for t, p in messages]
        for info in sent:
            info.wait_for_publish(30)
            assert info.is_published()
        return len(sent)
