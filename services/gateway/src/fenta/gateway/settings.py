"""What differs between environments, for the gateway."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from fenta.chassis.identity import Signer
from fenta.chassis.settings import Settings, StorageSettings

PlanName = Literal["free", "starter", "pro", "enterprise"]


def _base_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("write it with http:// or https://")
    return text.rstrip("/")


def _signing_keys(keys: SecretStr) -> SecretStr:
    try:
        Signer(keys.get_secret_value())
    except Exception:
        raise ValueError("is not a JSON object of base64 Ed25519 private keys by key id") from None
    return keys


BaseUrl = Annotated[str, AfterValidator(_base_url)]


class GatewaySettings(Settings, StorageSettings):
    """The addresses of the owners, the signing keys, and how strict the door is."""

    http_port: int = Field(8000, description="port of the public API")
    api_url: BaseUrl = Field("http://localhost:8000/v1", description="public address: `iss` of tokens, OpenAPI servers")
    jwt_signing_keys: Annotated[SecretStr, AfterValidator(_signing_keys)] = Field(
        description="JSON of Ed25519 private keys by key id; the first signs, all are honoured"
    )
    workflow_url: BaseUrl = Field(description="where the workflow service answers")
    generation_url: BaseUrl = Field(description="where the generation service answers")
    fanta_projekt_api_url: BaseUrl = Field(description="where the render service answers")
    billing_url: BaseUrl = Field(description="where the billing service answers")
    notifier_url: BaseUrl = Field(description="where the notifier service answers")
    default_plan: PlanName = Field("free", description="plan of organisations without a subscription; pro on one's own")
    sign_ins_per_minute: int = Field(10, ge=1, description="tries to register or sign in per address and minute")
    trusted_proxies: str = Field("", description="comma list of networks whose X-Forwarded-For is believed")
    password_memory_kib: int = Field(19_456, ge=8, description="memory of one Argon2id hash")
    password_rounds: int = Field(2, ge=1, description="passes of one Argon2id hash")
    password_threads: int = Field(2, ge=1, description="hashes computed at once in this process")
    owner_timeout_seconds: float = Field(60, gt=0, description="how long an owner may be silent before 504")
    stream_comment_seconds: float = Field(15, gt=0, description="silence after which a stream says it lives")
    stream_poll_seconds: float = Field(1, gt=0, description="how often channels are looked at without being told")

    @property
    def owner_urls(self) -> dict[str, str]:
        return {
            "workflow": self.workflow_url,
            "generation": self.generation_url,
            "render": self.fanta_projekt_api_url,
            "billing": self.billing_url,
            "notifier": self.notifier_url,
        }
