"""The timeline: tracks of clips in absolute milliseconds; one document from which all aspects are rendered."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from fenta.contracts.values import Contract

Aspect = Literal["9:16", "16:9", "1:1", "4:5"]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Milliseconds = Annotated[int, Field(ge=0)]
Unit = Annotated[float, Field(ge=0, le=1)]

Fps = Literal[24, 25, 30, 60]
Resolution = Literal["540p", "720p", "1080p", "2160p"]
# The same words that video models get.
Camera = Literal[
    "static",
    "push_in",
    "pull_out",
    "pan_left",
    "pan_right",
    "tilt_up",
    "tilt_down",
    "drift",
    "handheld",
    "pulse",
    "orbit",
]
EasingName = Literal[
    "linear",
    "ease_in_out",
    "ease_in_sine",
    "ease_out_sine",
    "ease_in_out_sine",
    "ease_in_quad",
    "ease_out_quad",
    "ease_in_out_quad",
    "ease_in_cubic",
    "ease_out_cubic",
    "ease_in_out_cubic",
]
# By name, or the two inner points x1, y1, x2, y2 of a cubic Bezier curve, as in CSS.
Easing = EasingName | tuple[Unit, Annotated[float, Field(ge=-2, le=3)], Unit, Annotated[float, Field(ge=-2, le=3)]]
TransitionName = Literal[
    "cut",
    "fade",
    "fade_white",
    "dissolve",
    "melt",
    "wipe_left",
    "wipe_right",
    "wipe_up",
    "wipe_down",
    "diagonal",
    "clock",
    "blinds",
    "circle_open",
    "circle_close",
    "slide_left",
    "slide_right",
    "slide_up",
    "slide_down",
    "push_left",
    "push_right",
    "push_up",
    "push_down",
    "zoom_in",
    "zoom_out",
    "blur",
    "whip_left",
    "whip_right",
]
TransitionWord = Literal[TransitionName, "crossfade", "slide", "wipe", "zoom"]
Blend = Literal[
    "normal",
    "multiply",
    "screen",
    "overlay",
    "add",
    "subtract",
    "darken",
    "lighten",
    "soft_light",
    "hard_light",
    "difference",
    "exclusion",
    "colour_dodge",
    "colour_burn",
    "colour",
    "luminosity",
]
AnimationName = Literal[
    "none",
    "fade",
    "rise",
    "drop",
    "slide_left",
    "slide_right",
    "slide_up",
    "slide_down",
    "pop",
    "zoom",
    "wipe_left",
    "wipe_right",
    "wipe_up",
    "wipe_down",
    "typewriter",
]
Weight = Literal["bold", "extra_bold", "black"]
Property = Literal["x", "y", "scale", "rotation_degrees", "opacity", "corner_radius", "shadow"]


class Canvas(Contract):
    aspect: Aspect
    width: int = Field(ge=16, le=7680, multiple_of=2)
    height: int = Field(ge=16, le=7680, multiple_of=2)

    @classmethod
    def of(cls, aspect: Aspect, resolution: Resolution) -> "Canvas":
        """The canvas whose shorter side has as many pixels as the resolution says; sides are even."""
        across, down = (int(side) for side in aspect.split(":"))
        unit = int(resolution.removesuffix("p")) / min(across, down)
        return cls(aspect=aspect, width=_even(across * unit), height=_even(down * unit))


def each_once(aspects: list[Aspect]) -> list[Aspect]:
    """Raises ValueError when an aspect is asked for twice."""
    if len(set(aspects)) < len(aspects):
        raise ValueError("an aspect is asked for twice")
    return aspects


def _even(pixels: float) -> int:
    return -(-round(pixels) // 2) * 2


def covering(aspects: Sequence[Aspect], resolution: Resolution) -> tuple[int, int]:
    """Width and height of the smallest picture from which each of these canvases can be cut."""
    canvases = [Canvas.of(aspect, resolution) for aspect in aspects]
    return max(canvas.width for canvas in canvases), max(canvas.height for canvas in canvases)


class AssetSource(Contract):
    """An asset of the organisation; `media` says how it is read, `duration_ms` how much of it there is, if known."""

    kind: Literal["asset"] = "asset"
    asset_id: str
    sha256: str
    media: Literal["image", "video", "audio", "lut", "font", "subtitles"]
    duration_ms: Milliseconds | None = None


class ColourSource(Contract):
    kind: Literal["colour"] = "colour"
    colour: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")


class GradientSource(Contract):
    """Colours that go over into one another, along `angle_degrees` (0 to the right, 90 down) or from the middle."""

    kind: Literal["gradient"] = "gradient"
    colours: list[Colour] = Field(min_length=2, max_length=6)
    shape: Literal["linear", "radial"] = "linear"
    angle_degrees: float = Field(default=90, ge=-360, le=360)


class ShapeSource(Contract):
    """A drawn shape. `width`, `height` and `stroke` are shares of the canvas' shorter side."""

    kind: Literal["shape"] = "shape"
    shape: Literal["rectangle", "ellipse", "triangle", "star", "arrow", "ring"] = "rectangle"
    width: float = Field(default=0.4, gt=0, le=4)
    height: float = Field(default=0.4, gt=0, le=4)
    colour: Colour = "#FFFFFF"
    stroke: float = Field(default=0, ge=0, le=0.2)
    stroke_colour: Colour = "#000000"


class TextSource(Contract):
    """Words as a picture: lines are broken at `width`, a share of the canvas' own, and `size` is one em of its shorter
    side. `ground` is the colour of a field behind them."""

    kind: Literal["text"] = "text"
    text: str = Field(min_length=1, max_length=500)
    colour: Colour = "#FFFFFF"
    size: float = Field(default=0.08, ge=0.01, le=1)
    width: float = Field(default=0.84, gt=0, le=1)
    weight: Weight = "extra_bold"
    align: Literal["left", "centre", "right"] = "centre"
    outline: float = Field(default=0, ge=0, le=0.3)
    outline_colour: Colour = "#0A0C12"
    ground: Colour | None = None
    font: AssetSource | None = None
    language: str = ""


class LogoSource(Contract):
    """A picture in a corner of what no platform covers; `x` and `y` of its clip move it from there, 0.5 not at all.

    `width` and `height` are the most that it takes, in shares of the canvas' shorter side.
    """

    kind: Literal["logo"] = "logo"
    asset_id: str
    sha256: str
    corner: Literal["top_left", "top_right", "bottom_left", "bottom_right"] = "top_left"
    width: float = Field(default=0.2, gt=0, le=1)
    height: float = Field(default=0.12, gt=0, le=1)


Source = Annotated[
    AssetSource | ColourSource | GradientSource | ShapeSource | TextSource | LogoSource, Field(discriminator="kind")
]


class Keyframe(Contract):
    """A value at a moment of its clip; `easing` is the way from here to the next one."""

    at_ms: Milliseconds
    value: float
    easing: Easing = "ease_in_out"


Keyframes = Annotated[list[Keyframe], Field(min_length=1, max_length=200)]


class Motion(Contract):
    """A camera move over a still picture, by name; `ken_burns` goes from one zoom and focus to another.

    Zoom 1.0 shows the largest area of the canvas' aspect; focus is where the view sits in the room that is left,
    (0, 0) top left, (1, 1) bottom right: what a named move goes towards or stays around. `strength` is how far it goes,
    1 being the usual; `angle_degrees` is where a `drift` leads, 0 to the right, 90 down.
    """

    kind: Literal[Camera, "ken_burns"] = "ken_burns"
    from_zoom: float = Field(default=1.0, ge=1, le=4, alias="from")
    to_zoom: float = Field(default=1.0, ge=1, le=4, alias="to")
    from_focus: tuple[Unit, Unit] = (0.5, 0.5)
    to_focus: tuple[Unit, Unit] = (0.5, 0.5)
    focus: tuple[Unit, Unit] = (0.5, 0.45)
    strength: float = Field(default=1.0, ge=0, le=2)
    angle_degrees: float = Field(default=45, ge=-360, le=360)
    easing: Easing = "ease_in_out"


class Animation(Contract):
    """How a clip comes, or goes the same way backwards; at most half of its time. Without `easing` it has its own."""

    kind: AnimationName = "fade"
    duration_ms: Annotated[int, Field(gt=0, le=10_000)] = 400
    easing: Easing | None = None


class Transition(Contract):
    """How a clip comes in; it borrows its time from the clip before. Four words have a longer form that says more."""

    kind: TransitionWord = "crossfade"
    duration_ms: Milliseconds = 300


class ChromaKey(Contract):
    """Makes a colour transparent; `tolerance` is how far from it, `softness` how wide the border, `spill` how much of
    its shine on what remains is taken away."""

    kind: Literal["chroma_key"] = "chroma_key"
    colour: str = Field(default="#00B140", pattern=r"^#[0-9a-fA-F]{6}$")
    tolerance: Unit = 0.35
    softness: Unit = 0.15
    spill: Unit = 1.0


class Lut(Contract):
    """Colours by a three-dimensional table: a `.cube` file."""

    kind: Literal["lut"] = "lut"
    source: AssetSource
    strength: Unit = 1.0


class Adjust(Contract):
    """Brightness and contrast, of which 0 changes nothing, and saturation, of which 1 changes nothing."""

    kind: Literal["adjust"] = "adjust"
    brightness: float = Field(default=0, ge=-1, le=1)
    contrast: float = Field(default=0, ge=-1, le=1)
    saturation: float = Field(default=1, ge=0, le=3)


class Blur(Contract):
    """Makes unsharp; `radius` is a share of the picture's width."""

    kind: Literal["blur"] = "blur"
    radius: float = Field(default=0.01, ge=0, le=0.2)


class Grain(Contract):
    """Film grain; the same `seed` gives the same grain."""

    kind: Literal["grain"] = "grain"
    amount: Unit = 0.3
    seed: int = Field(default=0, ge=0, lt=1 << 32)


class Vignette(Contract):
    """Darkens the corners."""

    kind: Literal["vignette"] = "vignette"
    amount: Unit = 0.5


Effect = Annotated[ChromaKey | Lut | Adjust | Blur | Grain | Vignette, Field(discriminator="kind")]


class Framing(Contract):
    """What one aspect does differently."""

    fit: Literal["cover", "contain", "blur"] | None = None
    focus: tuple[Unit, Unit] | None = None


class VideoClip(Contract):
    """A picture, film, colour, gradient, shape, text or logo. The first video track fills the canvas; clips of further
    ones lie over it.

    `x` and `y` are the clip's middle in shares of the canvas, `scale` 1 its own size, `rotation_degrees` clockwise.
    `corner_radius` 1 rounds the shorter side wholly. Each of them, `opacity` and `shadow` may have `keyframes` instead,
    in rising order from the clip's start. `blend` is how a clip mixes with what lies below it. With `gain_db` a film is
    heard too, and fades as its picture does.
    """

    id: str
    scene: str | None = None
    start_ms: Milliseconds
    duration_ms: Annotated[int, Field(gt=0)]
    in_ms: Milliseconds = 0
    speed: float = Field(default=1.0, ge=0.25, le=4)
    source: Source
    fit: Literal["cover", "contain", "blur"] = "cover"
    focus: tuple[Unit, Unit] = (0.5, 0.5)
    by_aspect: dict[str, Framing] = Field(default_factory=dict)
    motion: Motion = Motion(kind="static")
    transition: Transition | None = None
    x: float = Field(default=0.5, ge=-2, le=3)
    y: float = Field(default=0.5, ge=-2, le=3)
    scale: float = Field(default=1.0, gt=0, le=8)
    rotation_degrees: float = Field(default=0, ge=-3600, le=3600)
    opacity: Unit = 1.0
    corner_radius: Unit = 0.0
    shadow: Unit = 0.0
    fade_in_ms: Milliseconds = 0
    fade_out_ms: Milliseconds = 0
    enter: Animation | None = None
    leave: Animation | None = None
    blend: Blend = "normal"
    effects: list[Effect] = Field(default_factory=list, max_length=8)
    keyframes: dict[Property, Keyframes] = Field(default_factory=dict)
    gain_db: Annotated[float, Field(ge=-60, le=20)] | None = None


OverlayStyle = Literal[
    "title",
    "end_card",
    "lower_third",
    "kicker",
    "headline",
    "heading",
    "quote",
    "counter",
    "progress",
    "watermark",
]
OverlayProperty = Literal["x", "y", "scale", "rotation_degrees", "opacity"]


class OverlayClip(Contract):
    """Text over the picture; `box` is x, y, width, height as shares of the canvas. Without it the style has its place,
    where no platform covers it.

    `detail` is the smaller second text, such as the call to action on an end card. `colour` is that of the text,
    `accent` of bars and marks, `ground` of fields; each style has its own. `count` goes from one number to another,
    which stands in the text as `{n}`. `font` is one's own, as far as it has the characters. Keyframes of `x` and `y`
    move the middle of the box.
    """

    id: str
    start_ms: Milliseconds
    duration_ms: Annotated[int, Field(gt=0)]
    text: str = Field(default="", max_length=500)
    detail: str = Field(default="", max_length=300)
    style: OverlayStyle = "title"
    box: tuple[Unit, Unit, Unit, Unit] | None = None
    colour: Colour | None = None
    accent: Colour | None = None
    ground: Colour | None = None
    count: tuple[float, float] | None = None
    font: AssetSource | None = None
    scale: float = Field(default=1.0, gt=0, le=8)
    rotation_degrees: float = Field(default=0, ge=-3600, le=3600)
    opacity: Unit = 1.0
    enter: Animation | None = None
    leave: Animation | None = None
    keyframes: dict[OverlayProperty, Annotated[list[Keyframe], Field(min_length=1, max_length=200)]] = Field(
        default_factory=dict
    )


class CaptionWord(Contract):
    text: str
    start_ms: Milliseconds
    end_ms: Milliseconds


class CaptionClip(Contract):
    """A cue in the timeline's own time."""

    id: str
    scene: str | None = None
    start_ms: Milliseconds
    duration_ms: Annotated[int, Field(gt=0)]
    text: str
    words: list[CaptionWord] = Field(default_factory=list)


class AudioClip(Contract):
    """A sound, of an asset that may be a film.

    `speed` keeps the pitch. A `loop` goes over into its next round without a seam. `trim_silence` leaves out the quiet
    at the recording's beginning and end. `envelope` is a gain in dB over the clip's time, on top of `gain_db`.
    """

    id: str
    scene: str | None = None
    start_ms: Milliseconds
    duration_ms: Annotated[int, Field(gt=0)]
    in_ms: Milliseconds = 0
    speed: float = Field(default=1.0, ge=0.25, le=4)
    source: AssetSource
    loop: bool = False
    trim_silence: bool = False
    gain_db: float = Field(default=0, ge=-60, le=20)
    envelope: Annotated[list[Keyframe], Field(max_length=200)] = Field(default_factory=list)
    fade_in_ms: Milliseconds = 0
    fade_out_ms: Milliseconds = 0


class Duck(Contract):
    """How far and how fast a track steps back while another one sounds."""

    under: Literal["voice"] = "voice"
    db: float = Field(default=-12, ge=-30, le=0)
    attack_ms: Milliseconds = 20
    release_ms: Milliseconds = 300


class VideoTrack(Contract):
    kind: Literal["video"] = "video"
    id: str
    clips: list[VideoClip]


class OverlayTrack(Contract):
    kind: Literal["overlay"] = "overlay"
    id: str
    clips: list[OverlayClip]


Emoji = Literal["colour", "none"]
CentreY = Annotated[float, Field(ge=0.1, le=0.92)]
CaptionLook = Literal[
    "karaoke", "plain", "pop", "fill", "box", "outline", "typewriter", "bounce", "word", "classic", "minimal"
]


class CaptionTrack(Contract):
    """`accent` is the colour of the spoken word; `centre_y` where the lines stand, if not where the canvas has them.

    Emoji are drawn in `colour`, or left out of the picture. The clips may be given as a file: `source`, SRT or WebVTT
    in the film's time, is read where there are none.
    `shade` darkens a bright picture a little where they stand. `font` is one's own, as far as it has the characters.
    """

    kind: Literal["caption"] = "caption"
    id: str
    language: str
    direction: Literal["auto", "ltr", "rtl"] = "auto"
    style: CaptionLook = "karaoke"
    colour: Colour = "#FFFFFF"
    accent: Colour = "#FFD23F"
    centre_y: CentreY | None = None
    emoji: Emoji = "colour"
    shade: bool = True
    font: AssetSource | None = None
    burn: bool = True
    source: AssetSource | None = None
    clips: list[CaptionClip] = Field(default_factory=list)


class AudioTrack(Contract):
    kind: Literal["audio"] = "audio"
    id: str
    role: Literal["voice", "music", "effects"]
    gain_db: float = Field(default=0, ge=-60, le=20)
    duck: Duck | None = None
    clips: list[AudioClip]


Track = Annotated[VideoTrack | OverlayTrack | CaptionTrack | AudioTrack, Field(discriminator="kind")]


class Loudness(Contract):
    lufs: float = Field(default=-14, ge=-40, le=-5)
    true_peak_db: float = Field(default=-1, ge=-20, le=0)


class Timeline(Contract):
    """`fenta.timeline/1`. A frame is `round(ms * fps / 1000)`, so nothing drifts."""

    schema_: Literal["fenta.timeline/1"] = Field(default="fenta.timeline/1", alias="schema")
    title: str = ""
    fps: Fps = 30
    duration_ms: Annotated[int, Field(gt=0, le=3_600_000)]
    canvases: list[Canvas] = Field(min_length=1, max_length=4)
    tracks: list[Track] = Field(max_length=50)
    loudness: Loudness = Loudness()

    def frame(self, milliseconds: int) -> int:
        return round(milliseconds * self.fps / 1000)
