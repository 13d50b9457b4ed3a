"""Settings: one typed object, read once from the environment (GRIDWARDEN_…) at the command's start.

Secrets are `SecretStr` and render as ********** wherever they are printed or logged.
"""

import ssl
from datetime import datetime
from pathlib import Path
from typing import Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AwareDatetime, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gridwarden.retention import Retention
from ingest.address import Address, parse_address
from ingest.errors import SourceError

MIN_KEY = 16
"""Characters that a secret key has at least."""


class Settings(BaseSettings):
    """Everything that can be set; each field's description is its documentation."""

    model_config = SettingsConfigDict(
        env_prefix="GRIDWARDEN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    database_url: SecretStr = Field(
        SecretStr("postgresql://gridwarden@127.0.0.1:5432/gridwarden"),
        description="PostgreSQL or TimescaleDB, as a libpq URL.",
    )
    mqtt_url: SecretStr = Field(
        SecretStr("mqtt://127.0.0.1:1883"),
        description="The broker: mqtt[s]://[user:password@]host[:port].",
    )
    mqtt_ca_file: Path | None = Field(
        None, description="Certificates (PEM) that vouch for the broker; unset: the system's."
    )
    broker_admin_url: SecretStr = Field(
        SecretStr(""),
        description="The broker as its administrator, for `gridwarden accounts`: mqtt[s]://…",
    )
    mqtt_version: Literal["5", "3.1.1"] = Field(
        "5", description="MQTT protocol version to speak with the broker."
    )
    mqtt_client_id: str = Field(
        "gridwarden-ingest",
        description="Client id of the persistent session; of n workers each appends -i-of-n.",
    )
    receive_window: int = Field(
        20_000, ge=1, le=65_535, description="Messages the broker may send ahead of our PUBACKs."
    )
    batch_messages: int = Field(
        5_000,
        ge=1,
        description="A batch waits a little after the last one, at most for this many messages …",
    )
    batch_bytes: int = Field(8_388_608, ge=1, description="… or this many bytes of payload …")
    batch_age_ms: int = Field(
        50, ge=1, description="… or until its oldest message has waited this long (ms)."
    )
    earliest_time: AwareDatetime = Field(
        datetime.fromisoformat("2000-01-01T00:00:00Z"),
        description="A reading dated before this is rejected: the device's clock is unset.",
    )
    max_ahead_s: float = Field(
        600,
        ge=0,
        description="A reading dated further than this ahead of its arrival is rejected (s).",
    )
    device_burst: int = Field(
        3_600,
        ge=0,
        description="Messages a device may send at once, or a day's worth if more; 0: no limit.",
    )
    device_rate: float = Field(
        1.0,
        gt=0,
        description="Messages a second a device may keep up, or 20 times its rate if more.",
    )
    device_rejects_kept: int = Field(
        10_000,
        ge=0,
        description="Messages an hour kept of what a device sends too much; more are counted only.",
    )
    snapshot_every_s: float = Field(
        60, gt=0, description="How often the rules' state is saved (s)."
    )
    tick_ms: int = Field(200, ge=1, description="How often the rules' timers are looked at (ms).")
    web_host: str = Field("127.0.0.1", description="Address the web inbox listens on.")
    web_port: int = Field(8080, ge=0, le=65_535, description="Port of the web inbox; 0 takes any.")
    metrics_host: str = Field("127.0.0.1", description="Address that metrics are served on.")
    metrics_port: int = Field(
        0, ge=0, le=65_535, description="Port of Prometheus' /metrics; 0 serves none."
    )
    public_url: str = Field(
        "", description="Address at which members reach the inbox; empty: http://web_host:web_port."
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Signs sessions; at least 16 characters. Empty: a new one at each start.",
    )
    keep_readings_days: int = Field(
        400,
        ge=1,
        le=36_500,
        description="Raw readings are kept this long (days); a year and a month, for comparisons.",
    )
    keep_events_days: int = Field(
        400, ge=1, le=36_500, description="Events (doors, cards, calls) are kept this long (days)."
    )
    keep_rejected_days: int = Field(
        90,
        ge=1,
        le=36_500,
        description="Messages that could not be stored are kept this long (days).",
    )
    keep_batches_days: int = Field(
        400,
        ge=1,
        le=36_500,
        description="What each batch counted is kept this long (days); the totals stay.",
    )
    keep_5m_days: int = Field(
        400, ge=1, le=36_500, description="Sums by 5 minutes are kept this long (days)."
    )
    keep_1h_days: int = Field(
        1_100, ge=1, le=36_500, description="Sums by hour are kept this long (days)."
    )
    keep_1d_days: int = Field(
        3_660, ge=1, le=36_500, description="Sums by local day are kept this long (days)."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severity that is logged."
    )
    clock_speed: float = Field(
        1.0,
        gt=0,
        description="Service seconds per real second; other than 1 only in demos and tests.",
    )
    clock_origin: AwareDatetime | None = Field(
        None, description="Service time at clock_real_origin; unset: the real time."
    )
    clock_real_origin: AwareDatetime | None = Field(
        None, description="Real time at which the service's clock showed clock_origin."
    )
    state_dir: Path = Field(
        Path(".gridwarden"), description="Where `gridwarden demo` keeps its database and logs."
    )

    @field_validator("database_url")
    @classmethod
    def _is_libpq_url(cls, url: SecretStr) -> SecretStr:
        try:
            conninfo_to_dict(url.get_secret_value())
        except psycopg.ProgrammingError:  # its text repeats the URL
            raise ValueError("is not postgresql://[user:password@]host[:port]/database") from None
        return url

    @field_validator("mqtt_url", "broker_admin_url")
    @classmethod
    def _is_broker(cls, url: SecretStr) -> SecretStr:
        try:
            if url.get_secret_value():
                parse_address(url.get_secret_value())
        except SourceError as error:
            raise ValueError(str(error)) from None
        return url

    @field_validator("mqtt_ca_file", mode="before")
    @classmethod
    def _unset_if_empty(cls, path: object) -> object:
        return path or None

    @field_validator("mqtt_ca_file")
    @classmethod
    def _is_certificate(cls, path: Path | None) -> Path | None:
        try:
            if path is not None:
                ssl.create_default_context(cafile=path)
        except OSError as error:
            raise ValueError(f"{path} holds no certificate that can be read: {error}") from None
        return path

    @field_validator("secret_key")
    @classmethod
    def _is_long(cls, key: SecretStr) -> SecretStr:
        length = len(key.get_secret_value())
        if 0 < length < MIN_KEY:
            raise ValueError(f"has {length} characters, fewer than {MIN_KEY}")
        return key

    def broker(self) -> Address:
        """The broker, as whom the service speaks there, and who vouches for it."""
        return parse_address(self.mqtt_url.get_secret_value(), self._ca_file())

    def broker_admin(self) -> Address:
        """The broker as its administrator; SourceError where that is not set."""
        url = self.broker_admin_url.get_secret_value()
        if not url:
            raise SourceError(
                "GRIDWARDEN_BROKER_ADMIN_URL is not set: mqtt[s]://gridwarden-admin:PASSWORD@HOST, "
                "as `gridwarden accounts init` shows it (docs/accounts.md)"
            )
        return parse_address(url, self._ca_file())

    def retention(self) -> Retention:
        """How long each kind of row is kept."""
        return Retention(
            readings=self.keep_readings_days,
            events=self.keep_events_days,
            rejected=self.keep_rejected_days,
            batches=self.keep_batches_days,
            minutes=self.keep_5m_days,
            hours=self.keep_1h_days,
            days=self.keep_1d_days,
        )

    def _ca_file(self) -> str | None:
        return str(self.mqtt_ca_file) if self.mqtt_ca_file else None
