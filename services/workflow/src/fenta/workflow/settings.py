"""Settings of the workflow service."""

from typing import Literal

from pydantic import Field

from fenta.chassis.settings import IdentitySettings, StorageSettings
from fenta.chassis.settings import Settings as ServiceSettings


class Settings(ServiceSettings, IdentitySettings, StorageSettings):
    """What differs between environments."""

    default_plan: Literal["free", "starter", "pro", "enterprise"] = Field(
        "free", description="limits of organisations whose subscription is not known yet"
    )
