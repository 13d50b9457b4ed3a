"""The local authority: its files, and a broker that is trusted for its sake only."""

import asyncio
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from alerts.channels.base import Retry
from alerts.channels.mqtt import Broker, MqttChannel
from devices.accounts.account import ADMIN, SERVICE, Account, device, member
from devices.accounts.commands import hand_out
from devices.accounts.control import Door, administer
from devices.accounts.errors import ControlError
from devices.simulator.publish import Address, Publisher, PublishError
from gridwarden.cli import app
from gridwarden.local_authority import (
    CA_CERT,
    CA_KEY,
    SERVER_CERT,
    SERVER_KEY,
    AuthorityError,
    init,
    renew,
)
from tests import small_site
from tests.accounts.guarded import Guarded
from tests.accounts.party import PAHO_LEAVES_ITS_SOCKET, Party
from tests.alerts.test_channels import notification
from tests.service_process import ServiceProcess
from tests.whole import apply_site

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HOSTS = ["broker.example", "localhost", "192.168.1.10", "::1"]


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_what_is_made(tmp_path: Path) -> None:
    made = init(tmp_path / "tls", HOSTS, NOW)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()}
    assert modes == {CA_KEY: 0o600, SERVER_KEY: 0o600, CA_CERT: 0o644, SERVER_CERT: 0o644}
    authority, server = certificate(made.path.with_name(CA_CERT)), certificate(made.path)
    server.verify_directly_issued_by(authority)
    assert made.until == server.not_valid_after_utc == NOW + timedelta(days=397)
    assert authority.not_valid_after_utc == NOW + timedelta(days=3_650)
    for each in (authority, server):
        assert isinstance(each.public_key(), ec.EllipticCurvePublicKey)
        assert each.signature_hash_algorithm is not None
        assert each.signature_hash_algorithm.name == "sha256"
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.example", "localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == HOSTS[2:]


def test_an_authority_is_never_overwritten(tmp_path: Path) -> None:
    init(tmp_path, HOSTS, NOW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(AuthorityError, match=r"ca.key exists and is never overwritten"):
        init(tmp_path, HOSTS, NOW)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_renewed_certificate_is_of_the_same_authority_and_names(tmp_path: Path) -> None:
    init(tmp_path, HOSTS, NOW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    later = NOW + timedelta(days=390)
    made = renew(tmp_path, [], later)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {SERVER_KEY, SERVER_CERT}
    certificate(made.path).verify_directly_issued_by(certificate(tmp_path / CA_CERT))
    assert (made.hosts, made.until) == (tuple(HOSTS), later + timedelta(days=397))
    assert renew(tmp_path, ["other.example"], later).hosts == ("other.example",)


@pytest.mark.parametrize("host", ["", "a b", "mqtt://x", "user@host", "höst", "x:8883"])
def test_what_is_no_host(tmp_path: Path, host: str) -> None:
    with pytest.raises(AuthorityError, match="is no host name or IP address"):
        init(tmp_path, [host], NOW)
    assert list(tmp_path.iterdir()) == []


def test_an_authority_that_cannot_sign(tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match=r"ca.key is no key"):
        renew(tmp_path, [], NOW)
    init(tmp_path, HOSTS, NOW)
    with pytest.raises(AuthorityError, match="ends on 2036-11-18"):
        renew(tmp_path, [], NOW + timedelta(days=3_300))
    init(tmp_path / "other", HOSTS, NOW)
    (tmp_path / "other" / CA_KEY).replace(tmp_path / CA_KEY)
    with pytest.raises(AuthorityError, match="is not the key of"):
        renew(tmp_path, [], NOW)


def test_the_commands(tmp_path: Path) -> None:
    run = CliRunner().invoke
    made = run(app, ["tls", "init", str(tmp_path), "--host", "localhost", "--host", "10.0.0.1"])
    assert made.exit_code == 0
    assert "for localhost, 10.0.0.1, until " in made.stdout
    assert "never overwritten" in run(app, ["tls", "init", str(tmp_path), "--host", "x"]).stderr
    assert "for localhost, 10.0.0.1, until " in run(app, ["tls", "renew", str(tmp_path)]).stdout
    nameless = run(app, ["tls", "init", str(tmp_path / "new")])
    assert (nameless.exit_code, "as --host" in nameless.stderr) == (1, True)


async def test_the_whole_way_over_tls(guarded: Guarded, database_url: str, tmp_path: Path) -> None:
    """A device publishes, the service alerts, a member's app hears; all trust the authority."""
    wearable, phone = device("lvyuan", "wearable-1"), member("wang-fang")
    secrets = {wearable: "w" * 32, phone: "p" * 32}
    for account, secret in secrets.items():
        await guarded.run(hand_out(account, secret, client=False, role=False))
    (tmp_path / "site").mkdir()
    rules = small_site.RULES.replace("  for: 10m\n", "")
    folder = small_site.write(tmp_path / "site", "lvyuan", rules=rules)
    await apply_site(database_url, folder, datetime.now(UTC))
    port = guarded.server.tls_port
    service = ServiceProcess(
        database_url=database_url,
        mqtt_url=f"mqtts://{SERVICE}:{guarded.secrets[SERVICE]}@localhost:{port}",
        mqtt_ca_file=guarded.ca_file,
        log_file=tmp_path / "service.log",
    )
    try:
        await service.start()
        await service.until_connected()
        told = await asyncio.to_thread(_say_and_hear, guarded, wearable, phone, secrets)
    finally:
        await service.close()
    assert told["severity"] == "red"
    assert guarded.secrets[SERVICE] not in service.log_text()


def _say_and_hear(
    guarded: Guarded, wearable: Account, phone: Account, secrets: dict[Account, str]
) -> dict[str, Any]:
    port, ca_file = guarded.server.tls_port, guarded.ca_file
    with (
        Party(port, phone.username, secrets[phone], ca_file=ca_file) as hearer,
        Party(port, wearable.username, secrets[wearable], ca_file=ca_file) as speaker,
    ):
        assert hearer.subscribe("gw/v1/+/alerts/wang-fang") == 1
        assert speaker.publish("gw/v1/lvyuan/wearable-1/up", '{"values": {"spo2": 80}}') == 0
        told: dict[str, Any] = orjson.loads(hearer.hear().payload)
        return told


@PAHO_LEAVES_ITS_SOCKET
async def test_nobody_talks_to_a_broker_that_nobody_vouches_for(
    guarded: Guarded, tmp_path: Path
) -> None:
    init(tmp_path / "other", ["localhost"], datetime.now(UTC))
    port, secret = guarded.server.tls_port, guarded.secrets[ADMIN]
    for ca_file in (None, str(tmp_path / "other" / CA_CERT)):
        with pytest.raises(ssl.SSLCertVerificationError):
            Party(port, ADMIN, secret, ca_file=ca_file, tls=True)
        door = Door("localhost", port, ADMIN, secret, ssl.create_default_context(cafile=ca_file))
        with pytest.raises(ControlError, match="certificate verify failed"):
            async with administer(door):
                pass
        channel = MqttChannel(Broker("localhost", port, tls=True, ca_file=ca_file))
        said = await channel.send(notification())
        assert isinstance(said, Retry)
        assert "certificate" in said.reason
        address = Address("localhost", port, None, None, tls=True, ca_file=ca_file)
        with pytest.raises(PublishError, match="certificate"), Publisher(address):
            pass


async def test_the_administrator_over_tls(guarded: Guarded) -> None:
    context = ssl.create_default_context(cafile=guarded.ca_file)
    secret = guarded.secrets[ADMIN]
    async with administer(
        Door("localhost", guarded.server.tls_port, ADMIN, secret, context)
    ) as control:
        assert set((await control.held()).clients) == {ADMIN, SERVICE}


def test_the_simulator_over_tls(guarded: Guarded) -> None:
    url = f"mqtts://{SERVICE}:{guarded.secrets[SERVICE]}@localhost:{guarded.server.tls_port}"
    with Publisher(Address.parse(url, guarded.ca_file)) as publisher:
        publisher.publish("gw/v1/north/d1/down", b"x")
        publisher.drain()
        assert publisher.accepted == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none_is_told_at_the_start(
    tmp_path: Path, content: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "ca.crt").write_text(content)
    monkeypatch.setenv("GRIDWARDEN_MQTT_CA_FILE", str(tmp_path / "ca.crt"))
    told = CliRunner().invoke(app, ["accounts", "list"])
    assert told.exit_code == 2
    assert "GRIDWARDEN_MQTT_CA_FILE" in told.stderr
    assert "holds no certificate that can be read" in told.stderr
