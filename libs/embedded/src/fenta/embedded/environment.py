"""The environment in which each service runs on one machine: the same names as in production, with local values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

from .home import Home
from .processes import HOST

BUCKET = "fenta-web-assets"
REGION = "us-east-1"
USES_STORAGE = {"gateway", "workflow", "generation", "render"}
KEEPS_SECRETS = {"gateway", "generation", "notifier"}
CALLS_OUT = {"gateway", "generation", "notifier"}
OWNERS = {
    "render": "FANTA_PROJEKT_API_URL",
    "workflow": "WORKFLOW_URL",
    "generation": "GENERATION_URL",
    "billing": "BILLING_URL",
    "notifier": "NOTIFIER_URL",
}
# A developer's own cloud account must not leak into the local store's clients.
FOREIGN_AWS = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_PROFILE")


@dataclass(frozen=True)
class Addresses:
    """Where Postgres (as its administrator), Kafka and the object store answer."""

    database_url: str
    kafka: str
    s3_endpoint: str
    s3_is_ours: bool = True


@dataclass(frozen=True)
class Environments:
    """Builds the environment of any service. `caller` is the environment that the stack itself was started in."""

    home: Home
    ports: Mapping[str, int]
    addresses: Addresses
    caller: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)

    def of(self, service: str) -> dict[str, str]:
        """Defaults give way to the caller's own choice; addresses and secrets of this stack do not."""
        inherited = {name: value for name, value in self.caller.items() if name not in FOREIGN_AWS}
        return {
            **self._defaults(service),
            **inherited,
            **self._fixed(service),
            **(self._storage() if service in USES_STORAGE else {}),
            **(self._gateway() if service == "gateway" else {}),
            **self.settings,
        }

    def _defaults(self, service: str) -> dict[str, str]:
        gateway = self._url("gateway")
        values = {
            "ENVIRONMENT": "local",
            "INSTANCE_ID": "0",
            "KAFKA_SESSION_TIMEOUT_SECONDS": "30",
            "APP_URL": gateway,
            "API_URL": f"{gateway}/v1",
            "DEFAULT_PLAN": "pro",
            "EMAIL_VERIFICATION": "optional",
            **self._keys(service),
        }
        return {**values, "OUTBOUND_ALLOW_CIDRS": "127.0.0.0/8"} if service in CALLS_OUT else values

    def _keys(self, service: str) -> dict[str, str]:
        from fenta.chassis.identity import public_half  # noqa: PLC0415  costs an import of cryptography

        secrets = self.home.secrets
        signing = self.caller.get("JWT_SIGNING_KEYS") or secrets["jwt_signing_keys"]
        keys = {"JWT_SIGNING_KEYS": signing} if service == "gateway" else {"IDENTITY_PUBLIC_KEYS": public_half(signing)}
        return {**keys, "ENCRYPTION_KEYS": secrets["encryption_keys"]} if service in KEEPS_SECRETS else keys

    def _fixed(self, service: str) -> dict[str, str]:
        return {
            "HTTP_HOST": HOST,
            "HTTP_PORT": str(self.ports[service]),
            "ADMIN_PORT": str(self.ports[admin(service)]),
            "DATABASE_URL": self.database_url(service),
            "KAFKA_BOOTSTRAP_SERVERS": self.addresses.kafka,
            "FENTA_HOME": str(self.home.path),
            **({"ENGINE_FOLDER": str(self.home.path / "engines")} if service == "generation" else {}),
        }

    def _storage(self) -> dict[str, str]:
        endpoint = self.addresses.s3_endpoint
        address = {"S3_ENDPOINT_URL": endpoint, "S3_PUBLIC_URL": self.caller.get("S3_PUBLIC_URL") or endpoint}
        return {**self.storage_keys(), **address} if self.addresses.s3_is_ours else address

    def storage_keys(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.home.secrets["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.home.secrets["aws_secret_access_key"],
            "AWS_REGION": REGION,
            "S3_BUCKET_NAME": BUCKET,
        }

    def _gateway(self) -> dict[str, str]:
        return {setting: self._url(owner) for owner, setting in OWNERS.items()}

    def _url(self, service: str) -> str:
        """A service that is not part of this stack gets an address where nobody answers, as if it were down."""
        return f"http://{HOST}:{self.ports[service]}"

    def database_url(self, service: str) -> str:
        """The administrator's address with the service's own role."""
        parts = urlsplit(self.addresses.database_url)
        password = quote(self.home.secrets["database_passwords"][service], safe="")
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"fenta_{service}:{password}@{place}"))


def admin(service: str) -> str:
    """Under which name the port of a service's health and metrics is kept."""
    return f"{service}.admin"
