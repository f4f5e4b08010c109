"""The settings, and what is made from them."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from commands.show import UserError
from gateway.broker_url import BrokerUrl
from tracker.audit import Act
from tracker.clocks import Clock, SystemClock
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:  # what questions have no need of takes long to load
    from api.limits import Rate
    from gateway.gateway import Gateway
    from gateway.passwords import PasswordFile
    from gateway.running import Parts
    from tracker.delivery_ports import Channels
    from tracker.stores.influx import Influx, InfluxAt
    from tracker.stores.postgresql import PostgresqlStore

MAKE_ONE = (
    "is RETOUR_DATABASE right? `retour up`, `gateway`, `api`, `replay`, `import`, `db upgrade` "
    "and whatever creates something make one"
)


class Settings(BaseSettings):
    """From the environment (`RETOUR_*`), else from the TOML file that RETOUR_CONFIG names."""

    model_config = SettingsConfigDict(env_prefix="RETOUR_", extra="forbid")

    database: str = Field(default="sqlite:///retour.db", description="Where everything is stored.")
    mqtt_url: str = Field(default="", description="The broker; empty: `up` starts an embedded one.")
    mqtt_ca: str | None = Field(default=None, description="Certificates to trust, for mqtts://.")
    mqtt_cert: str | None = Field(
        default=None, description="The gateway's own certificate, for brokers that ask for one."
    )
    mqtt_key: str | None = Field(default=None, description="The key of that certificate.")
    mqtt_passwords: str = Field(
        default="", description="Mosquitto's password file, for `retour device`; empty: none."
    )
    mqtt_version: str = Field(default="5", pattern=r"^(5|3\.1\.1)$", description="5 or 3.1.1.")
    mqtt_port: int = Field(default=1883, description="Where the embedded broker of `up` listens.")
    client_id: str = Field(
        default="retour-gateway", min_length=1, description="The session's name."
    )
    influx_url: str = Field(
        default="", description="An InfluxDB 2 for telemetry; empty: the database alone."
    )
    influx_org: str = Field(default="", description="The organisation in it.")
    influx_bucket: str = Field(default="retour", description="The bucket in it.")
    influx_token: str = Field(default="", repr=False, description="The token to use it with.")
    gateway_group: str = Field(
        default="",
        pattern=r"^[^/+#]*$",
        description="Gateways of one name here share the messages; empty: a gateway alone.",
    )
    api_host: str = Field(default="127.0.0.1", description="The address where the API listens.")
    api_port: int = Field(default=8000, description="The port where the API listens.")
    device_rate: float = Field(
        default=100, ge=0, description="Messages a second of one device; 0: unlimited."
    )
    device_burst: float = Field(
        default=20_000, ge=1, description="Messages that a device may send at once."
    )
    api_rate: float = Field(
        default=50, ge=0, description="Requests a second of one client; 0: any number."
    )
    api_burst: float = Field(
        default=200, ge=0, description="Requests of one client at once; 0: any number."
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65_535, description="Where `gateway` answers /metrics; 0: nowhere."
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="The address where `gateway` answers /metrics."
    )
    webhooks_allow: str = Field(
        default="", description="Networks that webhooks may reach though they are not public."
    )
    clock: str = Field(
        default="", description="ANCHOR:RATE of an accelerated clock; empty: real time."
    )
    earliest: datetime = Field(
        default=datetime(2020, 1, 1, tzinfo=UTC), description="Stamps before this are not believed."
    )
    history_days: int = Field(
        default=400, description="Days before its first message a device may tell of."
    )
    retention_days: int = Field(
        default=0, ge=0, description="Days that the log keeps what it recorded; 0: for good."
    )
    deliveries_days: int = Field(
        default=90, ge=0, description="Days that what was delivered is listed; 0: for good."
    )
    log_level: str = Field(default="info", description="debug, info, warning or error.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file; nothing else."""
        file = os.environ.get("RETOUR_CONFIG")
        if file is None:
            return init_settings, env_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(file))

    def make_clock(self) -> SystemClock:
        try:
            return SystemClock.parse(self.clock)
        except ValueError:
            raise UserError(
                f"RETOUR_CLOCK is {self.clock!r}; write it as ANCHOR:RATE, like 1790000000000:60"
            ) from None

    def rate(self) -> Rate | None:
        """How often a client may ask the API; None: as often as it likes."""
        from api.limits import Rate

        if not self.api_rate or not self.api_burst:
            return None
        return Rate(self.api_rate, max(1.0, self.api_burst))

    def act(self) -> Act:
        """What somebody at the terminal does now, for the audit log."""
        clock = self.make_clock()
        return Act(f"terminal {getuser()}", clock.now(), clock.wall())

    def policy(self, clock: Clock) -> StampPolicy:
        floor = round(self.earliest.timestamp() * 1000)
        return StampPolicy(floor, self.history_days, clock.rate)

    def store(
        self, *, migrate: bool = False, must_exist: bool = False
    ) -> SqliteStore | PostgresqlStore:
        """The database. SQLite is made and migrated whenever it is opened, PostgreSQL only to
        `migrate`. UserError where there is none that `must_exist`: who asks makes none."""
        scheme, _, rest = self.database.partition("://")
        if scheme in ("postgresql", "postgres") and rest:
            from tracker.stores.postgresql import PostgresqlStore

            return PostgresqlStore(self.database, migrate=migrate)
        if scheme != "sqlite" or len(rest) < 2 or rest[0] != "/":
            raise UserError(
                f"RETOUR_DATABASE is {self.database_shown!r}; try sqlite:///retour.db or "
                "postgresql://user:password@host/retour"
            )
        path = Path(rest[1:])
        if must_exist and not path.exists():
            raise UserError(f"there is no database {path}; {MAKE_ONE}")
        return SqliteStore(path)

    def series(self) -> Influx | None:
        """The time-series store, if there is one. UserError where it is half described."""
        if not self.influx_url:
            return None
        from tracker.stores.influx import Influx

        return Influx(self.influx_at())

    def influx_at(self) -> InfluxAt:
        from tracker.stores.influx import InfluxAt

        missing = [name for name in ("url", "org", "token") if not getattr(self, f"influx_{name}")]
        if missing:
            raise UserError(f"RETOUR_INFLUX_{missing[0].upper()} is not set")
        if not self.influx_url.startswith(("http://", "https://")):
            raise UserError(f"RETOUR_INFLUX_URL is {self.influx_url!r}; try http://127.0.0.1:8086")
        return InfluxAt(
            self.influx_url.rstrip("/"), self.influx_org, self.influx_bucket, self.influx_token
        )

    def channels(self, clock: Clock) -> Channels:
        """The ways to who is told of alerts. UserError where the networks make no sense."""
        from gateway.addresses import Guard, networks
        from gateway.channels import Ways

        try:
            return Ways(Guard(networks(self.webhooks_allow)), clock)
        except ValueError as error:
            raise UserError(
                f"RETOUR_WEBHOOKS_ALLOW: {error}; write networks like 10.0.0.0/8, 192.168.1.7"
            ) from None

    @property
    def database_shown(self) -> str:
        """The database's URL without its password."""
        return shown(self.database)

    def parts(self) -> Parts:
        from gateway.limits import Limits
        from gateway.running import Parts

        clock = self.make_clock()
        limits = Limits(self.device_rate, self.device_burst) if self.device_rate else None
        policy = self.policy(clock)
        return Parts(self.store(), clock, policy, self.client_id, limits, self.gateway_group)

    def gateway(self, parts: Parts, *, leaving: bool = False) -> Gateway:
        return parts.gateway(self.broker(), mqtt5=self.mqtt_version == "5", leaving=leaving)

    def broker(self) -> BrokerUrl:
        if not self.mqtt_url:
            raise UserError("RETOUR_MQTT_URL is not set; try mqtt://127.0.0.1:1883")
        return BrokerUrl.parse(self.mqtt_url, self.mqtt_ca, self.mqtt_cert, self.mqtt_key)

    def passwords(self) -> PasswordFile | None:
        """Mosquitto's password file. UserError where it is named and not there."""
        if not self.mqtt_passwords:
            return None
        from gateway.passwords import PasswordFile

        path = Path(self.mqtt_passwords)
        if not path.is_file():
            raise UserError(
                f"RETOUR_MQTT_PASSWORDS: there is no file {path}; make it with mosquitto_passwd, "
                "readable to Mosquitto (docs/broker.md)"
            )
        return PasswordFile(path)


def shown(url: str) -> str:
    """A database's URL without its password."""
    return re.sub(r"://([^:/@]+):[^@]*@", r"://\1:***@", url)


def load_settings() -> Settings:
    """The settings. UserError where one makes no sense."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        where = "RETOUR_" + "_".join(str(part) for part in first["loc"]).upper()
        raise UserError(f"{where}: {first['msg']}") from None
