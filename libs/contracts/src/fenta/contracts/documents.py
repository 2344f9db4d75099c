"""Documents: JSON assets that pass from step to step, `application/vnd.fenta.<type>+json`."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from fenta.contracts.digest import canonical_json, digest_of
from fenta.contracts.timeline import Camera, Timeline
from fenta.contracts.values import Contract, Item


def _positive_span(words: "list[Word]") -> "list[Word]":
    if any(word.end_ms < word.start_ms for word in words):
        raise ValueError("a word ends before it starts")
    return words


class Word(Contract):
    """One spoken word; times are milliseconds from the start of its own audio."""

    text: str
    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)


Words = Annotated[list[Word], AfterValidator(_positive_span)]


class Segment(Contract):
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,15}$")
    start_ms: int = 0
    end_ms: int = 0
    content: str
    speaker: str | None = None
    visual_direction: str = ""
    b_roll: list[str] = Field(default_factory=list)
    key_moment: bool = False


class Scene(Contract):
    """One picture's worth of narration: what a `scene` port carries."""

    key: str
    narration: str
    visual_direction: str = ""
    prompt: str = ""
    camera: Camera = "push_in"
    shot: str = ""
    speaker: str | None = None
    duration_ms: int = 0
    stock_query: str = ""


class Script(Contract):
    """What is said, in order: hook and intro open, segments tell, outro and call to action close."""

    title: str
    topic: str = ""
    hook: str = ""
    intro: str = ""
    segments: list[Segment] = Field(min_length=1)
    outro: str = ""
    cta: str = ""
    language: str = "en"
    duration_ms: int = 0

    def scenes(self) -> list[Scene]:
        """The script cut into scenes: `hook`, the segments by their ids, `outro`."""
        opening = _sentence(self.hook, self.intro)
        closing = _sentence(self.outro, self.cta)
        told = [
            Scene(
                key=segment.id,
                narration=segment.content,
                visual_direction=segment.visual_direction,
                speaker=segment.speaker,
                duration_ms=max(0, segment.end_ms - segment.start_ms),
            )
            for segment in self.segments
        ]
        first = [Scene(key="hook", narration=opening, visual_direction=self.title)] if opening else []
        last = [Scene(key="outro", narration=closing, visual_direction=self.title)] if closing else []
        return [*first, *told, *last]


def _sentence(*parts: str) -> str:
    return " ".join(part.strip() for part in parts if part.strip())


class Storyboard(Contract):
    """What is seen: one scene per shot, with the picture's prompt and the camera's move."""

    title: str
    style: str = ""
    language: str = "en"
    aspect: str = "9:16"
    shots: list[Scene] = Field(min_length=1)

    def scenes(self) -> list[Scene]:
        return self.shots


class MediaRef(Contract):
    """Another asset that a document speaks of."""

    asset_id: str
    sha256: str


class Speech(Contract):
    """Spoken text: the audio and when each word is said."""

    audio: MediaRef
    text: str
    words: Words
    language: str
    voice: str
    duration_ms: int = Field(gt=0)
    sample_rate: int = 22050


class Music(Contract):
    """A piece of music; `loopable` says that its end joins its start without a seam."""

    audio: MediaRef
    mood: str
    duration_ms: int = Field(gt=0)
    beats_per_minute: float | None = None
    loopable: bool = True
    licence: str = "generated"


class Cue(Contract):
    """A caption; times are milliseconds from the start of the speech it belongs to."""

    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)
    text: str
    words: Words = Field(default_factory=list)


class Subtitles(Contract):
    cues: list[Cue]
    language: str
    direction: Literal["ltr", "rtl"] = "ltr"
    highlight: Literal["word", "line", "none"] = "word"


DOCUMENTS: dict[str, type[Contract]] = {
    "script": Script,
    "storyboard": Storyboard,
    "speech": Speech,
    "music": Music,
    "subtitles": Subtitles,
    "timeline": Timeline,
}


def media_type_of(document_type: str) -> str:
    return f"application/vnd.fenta.{document_type}+json"


def encode(document: Contract) -> bytes:
    """The bytes that are stored and hashed."""
    return canonical_json(document.model_dump(mode="json", by_alias=True))


def decode(document_type: str, data: bytes) -> Any:
    """Read a document. Raises pydantic.ValidationError when the bytes are not one of that type."""
    return DOCUMENTS[document_type].model_validate_json(data)


def items_of(document: Contract) -> list[Item] | None:
    """Keys and digests of what an `each` edge can open; None for documents without scenes."""
    if not isinstance(document, Script | Storyboard):
        return None
    return [
        Item(key=scene.key, sha256=digest_of(scene.model_dump(mode="json")), characters=len(scene.narration))
        for scene in document.scenes()
    ]
