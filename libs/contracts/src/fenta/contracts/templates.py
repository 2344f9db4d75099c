"""Templates: timelines with places to fill. A template and what fills it compile to a timeline."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from fenta.contracts.timeline import Camera, CaptionLook, CentreY, Colour, Transition, Unit
from fenta.contracts.values import Contract

# Those that ship with Fenta, all of version 1.
SHIPPED = ("short", "news", "story", "list", "quote", "product", "explainer", "podcast", "minimal")
_OWN = re.compile(r"tmpl_[0-9a-f-]{36}@[1-9][0-9]{0,5}")


def _known(name: str) -> str:
    shipped, _, version = name.removeprefix("fenta/").partition("@")
    if name.startswith("fenta/") and shipped in SHIPPED and version in {"", "1"}:
        return f"fenta/{shipped}@1"
    if _OWN.fullmatch(name):
        return name
    known = ", ".join(f"fenta/{one}@1" for one in SHIPPED)
    raise ValueError(f"there is no such template; known are {known}, and one's own as tmpl_…@version")


# `fenta/news@1`, or one of the organisation's own with its version, which never changes: `tmpl_…@3`.
TemplateName = Annotated[str, Field(max_length=60), AfterValidator(_known)]
# To a value that is known only when the template is filled: `{"$ref": "slots.accent"}`.
Reference = Annotated[dict[Literal["$ref"], str], Field(min_length=1)]
SlotKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class Slot(Contract):
    """What somebody may give, by `key`. Pictures of scenes are the slot `visuals`; the script fills all texts."""

    key: SlotKey
    accepts: Literal["visual", "text", "colour", "image", "font"]
    required: bool = False
    default: str | None = Field(default=None, max_length=500)
    help: str = Field(default="", max_length=200)


class Travel(Contract):
    """A camera's way over a still picture: nearer, away, or along, from one focus to another."""

    way: Literal["in", "out", "along"]
    start: tuple[Unit, Unit] = (0.5, 0.5)
    end: tuple[Unit, Unit] = (0.5, 0.5)


class Rules(Contract):
    """How long scenes are, how the camera moves over their pictures, and how one becomes the next.

    A scene lasts its speech and the gap, the last one longer by the hold. Moves and transitions are taken in turn.
    """

    gap_ms: int = Field(default=250, ge=0, le=5000)
    min_scene_ms: int = Field(default=1500, ge=200, le=30_000)
    hold_ms: int = Field(default=1400, ge=0, le=5000)
    moves: list[Camera | Travel] = Field(default=["push_in"], min_length=1, max_length=20)
    transitions: list[Transition] = Field(default=[Transition(kind="cut")], min_length=1, max_length=20)


class Captions(Contract):
    """How captions look; colours may be references.

    `shade` darkens the picture under them, `shown` is false where other text stands for them.
    """

    style: CaptionLook = "karaoke"
    colour: Colour | Reference = "#FFFFFF"
    accent: Colour | Reference = "#FFD23F"
    centre_y: CentreY | None = None
    shade: bool = True
    shown: bool = True


class Sound(Contract):
    """Music under the voice, in decibels and milliseconds."""

    gain_db: float = Field(default=-6, ge=-60, le=20)
    duck_db: float = Field(default=-12, ge=-30, le=0)
    fade_in_ms: int = Field(default=300, ge=0, le=10_000)
    fade_out_ms: int = Field(default=1500, ge=0, le=10_000)


class Placeholder(Contract):
    """A clip, or one for each scene or picture. It begins `start_ms` after its span does, and ends with it or earlier.

    `look` is all that a clip of its track has but id and times. `{"$ref": "slots.accent"}` stands there for a whole
    value, `{{scene.text}}` in a text. Known are `title`, `cta`, `slots.<key>`, `scene.text`, `scene.number`,
    `scene.count`, `scene.speaker` and `shot.source`. A clip whose reference leads nowhere is left out, and so is one
    whose text turns out empty.
    """

    during: Literal["film", "first", "last", "scene", "shot"] = "film"
    start_ms: int = Field(default=0, ge=0, le=60_000)
    duration_ms: int | None = Field(default=None, gt=0, le=600_000)
    look: dict[str, Any] = Field(default_factory=dict)


class TemplateTrack(Contract):
    kind: Literal["video", "overlay"]
    clips: list[Placeholder] = Field(min_length=1, max_length=50)


class Template(Contract):
    """`fenta.template/1`. Its first video track fills the canvas."""

    schema_: Literal["fenta.template/1"] = Field(default="fenta.template/1", alias="schema")
    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=5000)
    slots: list[Slot] = Field(default_factory=list, max_length=50)
    rules: Rules = Rules()
    captions: Captions = Captions()
    sound: Sound = Sound()
    tracks: list[TemplateTrack] = Field(min_length=1, max_length=20)

    def slot(self, key: str) -> Slot | None:
        return next((slot for slot in self.slots if slot.key == key), None)
