"""What differs between environments."""

import ipaddress
import tempfile
from pathlib import Path

from pydantic import Field, FilePath, SecretStr, ValidationInfo, field_validator

from fenta.chassis import settings as chassis


class Settings(chassis.Settings, chassis.IdentitySettings, chassis.StorageSettings):
    """The chassis' settings and those of rendering."""

    http_port: int = Field(3123, description="port of the API")
    fanta_projekt_api_key: SecretStr | None = Field(
        None, min_length=16, validate_default=True, description="Bearer of the internal API; required off loopback"
    )
    render_upload_mib: int = Field(1024, ge=1, description="the largest file that the internal API takes")
    fenta_home: Path | None = Field(None, description="where temporary files go; empty: the system's own place")
    render_slots: int = Field(1, ge=1, description="films that are put together at once")
    render_workers: int | None = Field(None, ge=1, description="segments at once, of any film; empty: one per core")
    render_memory_mib: int | None = Field(
        None, ge=256, description="for all segments at once; empty: most of what the container or machine has"
    )
    render_cache_mib: int = Field(
        4096, ge=0, description="finished segments that are kept in storage; 0: as long as their film is made"
    )
    timeline_slots: int = Field(4, ge=1, description="timelines that are compiled at once")
    render_face_model: FilePath | None = Field(None, description="YuNet's weights (ONNX), for thumbnails by faces")
    ffmpeg_path: Path | None = Field(None, description="an ffmpeg of one's own; empty: the one of the wheel")

    @field_validator("fanta_projekt_api_key")
    @classmethod
    def _closed_to_strangers(cls, key: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        host = str(others.data.get("http_host"))
        if key is None and not _is_loopback(host):
            raise ValueError(f"anybody who reaches {host} could render; set a key, or listen on 127.0.0.1")
        return key

    @property
    def work_folder(self) -> Path:
        """A folder of this replica alone: what it finds there at its start was left by an earlier life."""
        base = self.fenta_home / "work" if self.fenta_home else Path(tempfile.gettempdir())
        return base / f"fenta-render-{self.instance_id}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
