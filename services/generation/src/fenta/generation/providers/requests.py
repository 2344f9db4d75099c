"""What can be asked of a provider, one typed request per kind of work."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from fenta.contracts.documents import Script
from fenta.contracts.models import Capability

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class RequestBase(BaseModel):
    """Closed and frozen: a request is stored, and sent again after a crash exactly as it was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    capability: ClassVar[Capability]


class ScriptRequest(RequestBase):
    """Write a script from a brief. `points` are facts, told word for word before anything else."""

    capability = "text"

    kind: Literal["script"] = "script"
    model: str = "local-writer"
    topic: str
    points: list[str] = Field(default_factory=list)
    duration_seconds: float = 30
    tone: str = ""
    audience: str = ""
    platform: str = ""
    language: str = "en"
    max_segments: int | None = None
    hook_seconds: float = 3
    pause_ms: int = 250


class StoryboardRequest(RequestBase):
    """Turn a script into shots."""

    capability = "text"

    kind: Literal["storyboard"] = "storyboard"
    model: str = "local-writer"
    script: Script
    style: str = ""
    aspect: str = "9:16"


class SpeechRequest(RequestBase):
    """Speak a text. `voice` is a catalogue id or `auto`, which follows the language."""

    capability = "speech"

    kind: Literal["speech"] = "speech"
    model: str = "local-espeak"
    text: str
    voice: str = "auto"
    language: str = "en"
    speed: float = Field(default=1.0, ge=0.5, le=2.0)


class ImageRequest(RequestBase):
    """Make pictures, each by the next seed. `mood`, `style` and `title` only lean on colours and composition."""

    capability = "image"

    kind: Literal["image"] = "image"
    model: str = "local-pictures"
    prompt: str
    width: int = Field(default=1080, ge=16, le=4096)
    height: int = Field(default=1920, ge=16, le=4096)
    seed: Seed = 0
    count: int = Field(default=1, ge=1, le=4)
    style: str = ""
    mood: str = ""
    title: str = ""


class MusicRequest(RequestBase):
    """Compose a piece that loops without a seam."""

    capability = "music"

    kind: Literal["music"] = "music"
    model: str = "local-music"
    style: str = "ambient"
    prompt: str = ""
    seconds: float = Field(default=30, gt=0, le=600)
    seed: Seed = 0


Request = ScriptRequest | StoryboardRequest | SpeechRequest | ImageRequest | MusicRequest

_READER: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="kind")])


def request_of(data: Any) -> Request:
    """Read a stored request. Raises pydantic.ValidationError."""
    return _READER.validate_python(data)
