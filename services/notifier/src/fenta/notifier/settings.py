"""What differs between environments."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from fenta.chassis import settings as chassis
from fenta.notifier.addresses import networks
from fenta.notifier.schedule import TEN_ATTEMPTS
from fenta.notifier.sealing import Keyring


def _pauses(text: str) -> str:
    if not pauses_of(text) or min(pauses_of(text)) < 0:
        raise ValueError("write seconds, comma-separated, one for each attempt")
    return text


def pauses_of(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(",") if part.strip())


def _networks(text: str) -> str:
    networks(text)
    return text


def _keys(secret: SecretStr) -> SecretStr:
    Keyring(secret.get_secret_value())
    return secret


class Settings(chassis.Settings, chassis.IdentitySettings):
    """The chassis' settings and notifier's own."""

    encryption_keys: Annotated[SecretStr, AfterValidator(_keys)] = Field(
        description="id:base64 of 32 bytes, comma-separated; the first one seals secrets, all of them open"
    )
    outbound_allow_cidrs: Annotated[str, AfterValidator(_networks)] = Field(
        "", description="networks that may be called although they are not public, by any port and by http"
    )
    delivery_schedule_seconds: Annotated[str, AfterValidator(_pauses)] = Field(
        ",".join(f"{pause:g}" for pause in TEN_ATTEMPTS),
        description="as many attempts as numbers; pause before each",
    )
    delivery_timeout_seconds: float = Field(15, gt=0, description="how long one attempt may take, its answer included")
    delivery_slots: int = Field(64, ge=1, description="attempts at once in this process")
