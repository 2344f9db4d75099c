"""What differs between environments."""

from pathlib import Path

from pydantic import Field

from fenta.chassis import settings as chassis


class Settings(chassis.Settings, chassis.IdentitySettings, chassis.StorageSettings):
    """The chassis' settings and generation's own."""

    engine_folder: Path = Field(
        Path(".fenta/engines"), description="where the local engines keep their ledger, tasks and temporary files"
    )
    engine_helpers: int = Field(2, ge=1, le=32, description="helper processes in which local engines work")
    engine_idle_seconds: float = Field(120, gt=0, description="how long an idle helper process lives")
    engine_keep_seconds: float = Field(86_400, gt=0, description="how long results of local engines are kept")
    slots_high: int = Field(16, ge=1, description="texts in hand at once")
    slots_default: int = Field(16, ge=1, description="subtitles and small things in hand at once")
    slots_media: int = Field(32, ge=1, description="pictures, voices and music in hand at once; they mostly wait")
    whisper_model: Path | None = Field(
        None, description="folder of a faster-whisper model, to recognise speech that comes without its text"
    )
    reconcile_seconds: float = Field(900, ge=0, description="how long an unclear call is looked for")
