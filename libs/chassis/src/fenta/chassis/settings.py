"""Settings come from the environment only; a wrong one stops the start, all mistakes at once."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

EX_CONFIG = 78


def _addresses(text: str) -> str:
    for address in text.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f'"{address}" has no port; write host:port,host:port')
    return text


class FromEnvironment(BaseSettings):
    """How all settings are read: an empty variable is as good as none."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)


class Settings(FromEnvironment):
    """What every service needs."""

    environment: Literal["local", "staging", "production"] = Field("local", description="where this runs")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level that is logged")
    instance_id: str = Field("0", description="slot or ordinal of this replica; names the static Kafka member")
    shutdown_grace_seconds: float = Field(30, description="how long work in hand may take after SIGTERM")
    http_host: str = Field("127.0.0.1", description="address to listen on")
    http_port: int = Field(description="port of the API")
    admin_port: int = Field(description="port of health and metrics, inward only")
    database_url: SecretStr = Field(description="postgresql://role:password@host:port/database of this service's role")
    database_pool_size: int = Field(5, description="connections kept open")
    kafka_bootstrap_servers: Annotated[str, AfterValidator(_addresses)] = Field(description="host:port,host:port")
    kafka_session_timeout_seconds: float = Field(30, description="how long a silent member keeps its partitions")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to talk to Kafka"
    )
    kafka_sasl_mechanism: str | None = Field(None, description="for SASL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512")
    kafka_sasl_username: str | None = Field(None, description="for SASL")
    kafka_sasl_password: SecretStr | None = Field(None, description="for SASL")
    kafka_ssl_cafile: Path | None = Field(None, description="certificate authority of the brokers")

    @property
    def kafka_servers(self) -> list[str]:
        return [address.strip() for address in self.kafka_bootstrap_servers.split(",")]


class IdentitySettings(FromEnvironment):
    """For services behind the gateway."""

    identity_public_keys: str | None = Field(None, description="JSON of Ed25519 public keys by key id; without it 401")


class StorageSettings(FromEnvironment):
    """For services that read or write objects."""

    aws_region: str = Field("us-east-1", description="region of the bucket")
    aws_access_key_id: SecretStr | None = Field(None, description="empty: the workload's own role")
    aws_secret_access_key: SecretStr | None = Field(None, description="empty: the workload's own role")
    s3_bucket_name: str = Field("fenta-web-assets", description="bucket of all media")
    s3_endpoint_url: str | None = Field(None, description="for reading and writing; empty: AWS")
    s3_public_url: str | None = Field(None, description="host in signed links; empty: the endpoint")


SettingsType = TypeVar("SettingsType", bound=BaseSettings)


def load(settings: type[SettingsType]) -> SettingsType:
    """Read the environment. Any setting may be given as `NAME_FILE`; mistakes end the process with exit code 78."""
    found, mistakes = _from_files(settings)
    try:
        loaded = settings(**found)
    except ValidationError as error:
        mistakes |= _told(error, known=mistakes)
    if mistakes:
        for name, sentence in mistakes.items():
            print(f"{name}: {sentence}", file=sys.stderr)  # noqa: T201  logging is not set up yet
        sys.exit(EX_CONFIG)
    return loaded


def _from_files(settings: type[BaseSettings]) -> tuple[dict[str, Any], dict[str, str]]:
    """Values by field, and mistakes by the name of the setting."""
    found, mistakes = {}, {}
    for name in settings.model_fields:
        path = os.environ.get(f"{name.upper()}_FILE")
        if path and not os.environ.get(name.upper()):
            try:
                found[name] = Path(path).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                mistakes[name.upper()] = f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not text'}"
    return {name: value for name, value in found.items() if value}, mistakes


def _told(error: ValidationError, known: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each setting, never what it holds; what is known of one already is not told twice."""
    found = {}
    for problem in error.errors(include_url=False, include_input=False):
        name = "_".join(str(part) for part in problem["loc"]).upper()
        found[name] = problem["msg"]
    return {name: sentence for name, sentence in found.items() if name not in known}


CommaList = Annotated[list[str], NoDecode]
