"""What differs between environments."""

import tempfile
from pathlib import Path

from pydantic import Field, FilePath

from fenta.chassis import settings as chassis


class Settings(chassis.Settings, chassis.IdentitySettings, chassis.StorageSettings):
    """The chassis' settings and those of rendering."""

    fenta_home: Path | None = Field(None, description="where temporary files go; empty: the system's own place")
    render_slots: int = Field(1, ge=1, description="films at once; each of them uses all cores")
    render_workers: int | None = Field(None, ge=1, description="processes per film; empty: one per core")
    render_cache_mib: int = Field(4096, ge=0, description="finished parts of films that are kept in storage; 0: none")
    timeline_slots: int = Field(4, ge=1, description="timelines that are compiled at once")
    render_face_model: FilePath | None = Field(None, description="YuNet's weights (ONNX), for thumbnails by faces")
    ffmpeg_path: Path | None = Field(None, description="an ffmpeg of one's own; empty: the one of the wheel")

    @property
    def work_folder(self) -> Path:
        """A folder of this replica alone: what it finds there at its start was left by an earlier life."""
        base = self.fenta_home / "work" if self.fenta_home else Path(tempfile.gettempdir())
        return base / f"fenta-render-{self.instance_id}"
