"""docker-compose.yml and what it mounts, read as data: no container engine is needed for that."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.pages import uid
from dashboards.panels import SOURCE
from dashboards.text import Language
from gridwarden.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
PINNED = re.compile(r"[a-z0-9./-]+:\d+\.\d+\.\d+(-[a-z0-9]+)*")
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")
MADE = {"BROKER_PASSWORD", "BROKER_ADMIN_PASSWORD"}
"""Secrets that a command of ours makes, in a container that starts before they are there."""
PROVISIONING = "deploy/grafana/provisioning"

each_service = pytest.mark.parametrize("name", list(SERVICES))


def test_the_services_are_these() -> None:
    assert set(SERVICES) == {"db", "broker", "migrate", "prepare", "gridwarden", "grafana"}


@each_service
def test_images_are_pinned(name: str) -> None:
    assert PINNED.fullmatch(SERVICES[name]["image"])


def test_the_built_image_starts_from_a_pinned_one() -> None:
    assert [PINNED.fullmatch(base) is not None for base in _after("FROM", DOCKERFILE)] == [True]


def test_the_built_image_copies_what_exists_and_is_not_ignored() -> None:
    sources = [line.split()[0] for line in _after("COPY", DOCKERFILE)]
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()]
    assert len(sources) > 3
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if source not in kept] == []


@each_service
def test_mounted_files_exist_and_volumes_are_declared(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = _defaults(mount).split(":")[0]
        known = source in COMPOSE["volumes"] or (ROOT / source).exists()
        assert known, f"{name} mounts {source}, which does not exist"


@each_service
def test_ports_are_published_on_loopback_by_default(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert _defaults(port).startswith("127.0.0.1:")


@each_service
def test_it_has_a_health_check_or_ends(name: str) -> None:
    assert "healthcheck" in SERVICES[name] or name in {"migrate", "prepare"}


@each_service
def test_what_it_waits_for_can_be_waited_for(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        healthy = wait["condition"] == "service_healthy"
        assert ("healthcheck" in SERVICES[other]) if healthy else other == "migrate"


def test_settings_named_anywhere_exist() -> None:
    fields = {f"GRIDWARDEN_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"GRIDWARDEN_[A-Z_]+", TEXT + EXAMPLE + DOCKERFILE))
    assert "GRIDWARDEN_DATABASE_URL" in named
    assert named <= fields


def test_settings_given_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["gridwarden"]["environment"].items():
        monkeypatch.setenv(name, _defaults(value, given="0123456789abcdef"))
    settings = Settings()
    assert settings.database_url.get_secret_value().endswith("@db:5432/gridwarden")
    assert settings.secret_key.get_secret_value() == "0123456789abcdef"


def test_every_variable_is_in_the_example_and_secrets_have_no_default() -> None:
    example = dict(line.split("=", 1) for line in EXAMPLE.splitlines() if re.match(r"[A-Z]", line))
    assert {name for name, _, _ in VARIABLE.findall(TEXT)} == set(example)
    secret = {name for name, sign, _ in VARIABLE.findall(TEXT) if sign == "?"}
    made = {name: default for name, sign, default in VARIABLE.findall(TEXT) if name in MADE}
    assert made == dict.fromkeys(MADE, "")
    assert secret | MADE == {name for name in example if re.search("PASSWORD|KEY", name)}
    assert {example[name] for name in secret | MADE} == {""}


def test_the_broker_finds_what_is_prepared_for_it() -> None:
    conf = (ROOT / "deploy/mosquitto/mosquitto.conf").read_text("utf-8")
    named = re.findall(r"^(?:plugin_opt_config_file|certfile|keyfile) (.+)$", conf, re.MULTILINE)
    shared = {mount.split(":")[1] for mount in SERVICES["prepare"]["volumes"]} & {
        mount.split(":")[1] for mount in SERVICES["broker"]["volumes"]
    }
    assert {str(Path(path).parent) for path in named} == shared
    assert "allow_anonymous false" in conf
    told = (ROOT / "docs/containers.md").read_text("utf-8")
    assert all(path in told for path in named if path.endswith(".json"))
    assert SERVICES["prepare"]["profiles"] == ["prepare"]


def test_grafana_gets_the_data_source_that_the_pages_name() -> None:
    source = _yaml(f"{PROVISIONING}/datasources/gridwarden.yml")["datasources"][0]
    assert (source["type"], source["uid"]) == (SOURCE.type_val, SOURCE.uid)
    assert source["url"] == "db:5432"
    assert source["secureJsonData"]["password"].removeprefix("$") in _environment("grafana")


def test_grafana_gets_the_pages() -> None:
    path = _yaml(f"{PROVISIONING}/dashboards/gridwarden.yml")["providers"][0]["options"]["path"]
    assert f"./dashboards/grafana:{path}:ro" in SERVICES["grafana"]["volumes"]
    home = _defaults(_environment("grafana")["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home == f"{path}/{uid(Language.ZH)}.json"
    assert (ROOT / "dashboards/grafana" / Path(home).name).exists()


def test_grafanas_login_is_made_in_the_group_that_the_migrations_grant_to() -> None:
    script = (ROOT / "deploy/postgres/20-grafana-login.sh").read_text("utf-8")
    source = _yaml(f"{PROVISIONING}/datasources/gridwarden.yml")["datasources"][0]
    assert f"CREATE ROLE {source['user']} LOGIN" in script
    assert "IN ROLE gridwarden_grafana" in script
    assert "GRAFANA_DB_PASSWORD" in _environment("db")


def _after(word: str, text: str) -> list[str]:
    return re.findall(rf"^{word} (.+)$", text, flags=re.MULTILINE)


def _defaults(text: str, given: str = "given") -> str:
    return VARIABLE.sub(lambda match: match[3] if match[2] == "-" else given, text)


def _environment(service: str) -> dict[str, str]:
    environment: dict[str, str] = SERVICES[service]["environment"]
    return environment


def _yaml(path: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / path).read_text("utf-8"))
    return loaded
