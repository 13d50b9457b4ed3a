"""Where the servers come from, and what is said when there is no way."""

import pytest

from tests.services import choose, container, trixie
from tests.services.configuration import configuration
from tests.services.server import ServiceMissingError


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither root with apt nor a container engine, and no server of the user's own."""
    monkeypatch.setattr(trixie, "possible", lambda: False)
    monkeypatch.setattr(container, "engine", lambda: None)
    monkeypatch.delenv(choose.DATABASE_URL, raising=False)
    monkeypatch.delenv(choose.MQTT_URL, raising=False)


@pytest.mark.usefixtures("bare_machine")
@pytest.mark.parametrize("ask", [choose.prepare, choose.provider])
def test_a_bare_machine_is_told_what_to_provide(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(ServiceMissingError) as caught:
        ask()
    for way in (choose.DATABASE_URL, choose.MQTT_URL, "root", "container engine"):
        assert way in str(caught.value)


@pytest.mark.usefixtures("bare_machine")
def test_servers_of_the_users_own_suffice_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choose.DATABASE_URL, "postgresql://me@db/postgres")
    monkeypatch.setenv(choose.MQTT_URL, "mqtt://broker:1883")
    assert "tests that kill a server will fail" in choose.prepare()


def test_the_shipped_broker_configuration_is_the_one_tested() -> None:
    text = configuration("1999 127.0.0.1", "/elsewhere/")
    assert "\nlistener 1999 127.0.0.1\n" in text
    assert "\npersistence_location /elsewhere/\n" in text
    assert "\nmax_queued_messages 2147483647\n" in text
    assert "\nallow_anonymous true\n" in text
    assert "plugin" not in text
    for needed in ("persistence true", "max_inflight_messages 0", "max_queued_bytes 0"):
        assert f"\n{needed}\n" in text
