"""What a provider hands back: files with their measures, and the facts of a document that the service completes."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fenta.contracts.documents import Word
from fenta.contracts.events import Problem


class MadeFile(BaseModel):
    """A file in the folder that was given to `fetch`; sizes in pixels, lengths in milliseconds."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Literal["image", "audio", "video"]
    media_type: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None


class Product(BaseModel):
    """The result of one task.

    `document` holds a whole script or storyboard, or what a speech or music document says beside its audio.
    """

    model_config = ConfigDict(frozen=True)

    files: tuple[MadeFile, ...] = ()
    document: dict[str, Any] | None = None
    seed: int | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


class Progress(BaseModel):
    """How a task stands; `percent` is the provider's guess."""

    model_config = ConfigDict(frozen=True)

    state: Literal["waiting", "working", "done", "failed", "cancelled"]
    percent: int = 0
    error: Problem | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


class Heard(BaseModel):
    """What is said in a sound, and when each word."""

    text: str
    language: str
    words: list[Word]
    duration_ms: int
