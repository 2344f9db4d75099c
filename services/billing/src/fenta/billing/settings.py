"""What differs between environments."""

from pydantic import Field

from fenta.billing.plans import PlanName
from fenta.chassis import settings as chassis


class Settings(chassis.Settings, chassis.IdentitySettings):
    """The chassis' settings and billing's own."""

    default_plan: PlanName = Field("free", description="plan of an organisation that has chosen none")
    release_wait_seconds: float = Field(900, ge=0, description="how long an ended job's hold waits for its usage")
    release_interval_seconds: float = Field(5, gt=0, description="pause between looks for holds to release")
