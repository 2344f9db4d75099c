"""The films behind the sheets: painted pictures, and for every word of a family what its cells show."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from fenta.contracts.documents import MediaRef, Script, Segment, Speech, Word
from fenta.contracts.templates import SHIPPED
from fenta.contracts.timeline import (
    AnimationName,
    Aspect,
    AssetSource,
    Blend,
    Camera,
    Canvas,
    CaptionClip,
    CaptionLook,
    CaptionTrack,
    CaptionWord,
    Motion,
    OverlayClip,
    OverlayStyle,
    OverlayTrack,
    ShapeSource,
    Timeline,
    TransitionName,
    VideoClip,
    VideoTrack,
)
from fenta.generation.engines.pictures import paint
from fenta.render.captions.marks import box_of
from fenta.render.compose import still
from fenta.render.compose.colour import exact_bgr
from fenta.render.compose.composer import Composer
from fenta.render.compose.frame import Frame
from fenta.render.places import place_of
from fenta.render.templates.bindings import Bindings, Visual
from fenta.render.templates.compiling import compile_timeline
from fenta.render.templates.shipped import shipped
from fenta.render.timeline import frame_plan, picture_tracks

CANVAS = Canvas(aspect="9:16", width=216, height=384)
# Large enough to read, and how much of its height is shown.
CAPTIONED, BAND, PART = Canvas(aspect="9:16", width=432, height=768), 0.17, 0.34
# At 30 frames a second. A transition begins with the second of two clips and takes 16 frames.
SECOND, SCENE, CHANGE_MS, CHANGE_FRAMES = 1000, 1100, 534, 16

Picture = NDArray[np.uint8]
Cells = dict[str, list[Picture]]

PAINTINGS = {
    "city": ("a city at night", 4),
    "dunes": ("desert dunes", 2),
    "planets": ("planets in space", 4),
    "mountains": ("mountains at sunrise", 5),
}


@dataclass(frozen=True)
class Studio:
    """A folder of pictures, and films made of them."""

    folder: Path

    @cached_property
    def sources(self) -> dict[str, Path]:
        return {}

    def picture(self, name: str) -> AssetSource:
        path = self.folder / f"{name}.png"
        if not path.exists():
            cv2.imwrite(str(path), _made(name))
        return self._kept(path, "image")

    def look(self, name: str, change: Callable[[Any], Any]) -> AssetSource:
        """A `.cube` file of a change of colours, given as red, green and blue, 0 to 1."""
        path = self.folder / f"{name}.cube"
        steps = np.linspace(0, 1, 17)
        blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
        rows = np.clip(change(np.stack([red, green, blue], axis=-1)), 0, 1).reshape(-1, 3)
        path.write_text("LUT_3D_SIZE 17\n" + "".join(f"{r:.6f} {g:.6f} {b:.6f}\n" for r, g, b in rows))
        return self._kept(path, "lut")

    def _kept(self, path: Path, media: Any) -> AssetSource:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self.sources[sha256] = path
        return AssetSource(asset_id=f"asset_{path.stem}", sha256=sha256, media=media)

    def clip(self, name: str, start_ms: int = 0, duration_ms: int = SECOND, **given: Any) -> VideoClip:
        source = self.picture(name)
        return VideoClip(id=f"{name}{start_ms}", start_ms=start_ms, duration_ms=duration_ms, source=source, **given)

    def frames(self, tracks: Sequence[Sequence[VideoClip]], numbers: Sequence[int]) -> list[Picture]:
        """These frames of a film of the given tracks, the first one below."""
        length = max(clip.start_ms + clip.duration_ms for clip in tracks[0])
        given: list[Any] = [VideoTrack(id=f"v{number}", clips=list(clips)) for number, clips in enumerate(tracks)]
        plan = frame_plan(Timeline(duration_ms=length, canvases=[CANVAS], tracks=given), CANVAS)
        composed = (Composer(plan, self.sources, self.folder).frames(number, number + 1) for number in numbers)
        return [_shown(next(iter(frames))) for frames in composed]

    def captioned(self, track: CaptionTrack, numbers: Sequence[int]) -> list[Picture]:
        """The band around the captions of these frames; their times are whole hundredths of a second."""
        length = max(clip.start_ms + clip.duration_ms for clip in track.clips)
        pictures = VideoTrack(id="v", clips=[self.clip("dunes", 0, length)])
        frames = self.film(Timeline(duration_ms=length, canvases=[CAPTIONED], tracks=[pictures, track]), numbers)
        top = round(CAPTIONED.height * (place_of(CAPTIONED).centre_y - BAND / 2))
        return [frame[top : top + round(CAPTIONED.height * BAND)] for frame in frames]

    def overlaid(self, clip: OverlayClip, numbers: Sequence[int]) -> list[Picture]:
        """The part around an overlay of these frames of a picture."""
        length = clip.start_ms + clip.duration_ms
        tracks: list[Any] = [
            VideoTrack(id="v", clips=[self.clip("mountains", 0, length)]),
            OverlayTrack(id="o", clips=[clip]),
        ]
        frames = self.film(Timeline(duration_ms=length, canvases=[CAPTIONED], tracks=tracks), numbers)
        _, y, _, height = box_of(clip, CAPTIONED)
        top = round(CAPTIONED.height * min(max(0.0, y + height / 2 - PART / 2), 1 - PART))
        return [frame[top : top + round(CAPTIONED.height * PART)] for frame in frames]

    def film(self, timeline: Timeline, numbers: Sequence[int]) -> list[Picture]:
        """These frames of a whole film with all its text, on its first canvas."""
        return still.frames(timeline, self.sources, self.folder, numbers)


def _made(name: str) -> Picture:
    if name in PAINTINGS:
        prompt, seed = PAINTINGS[name]
        return paint(prompt, 540, 960, seed)
    return {"wide": _wide, "screen": _before_green, "lamp": _lamp, "light": _light}[name]()


def _shown(frame: Frame) -> Picture:
    size = (frame.width, frame.height)
    u, v = (np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)) for plane in (frame.u, frame.v))
    seen = exact_bgr(np.stack([frame.y, u, v], axis=-1).astype(np.float64))
    picture: Picture = np.round(seen * 255).astype(np.uint8)
    return picture


def _bytes(picture: NDArray[np.float64]) -> Picture:
    solid: Picture = np.clip(picture, 0, 255).astype(np.uint8)
    return solid


def _wide() -> Picture:
    return paint("a city at night", 960, 540, 4)


def _before_green() -> Picture:
    """A balloon before a green screen, with its shine on the edges, as a camera would see it."""
    x, y = np.meshgrid(np.arange(540) + 0.5, np.arange(960) + 0.5)
    green = np.array([64.0, 177, 0])
    far = np.hypot((x - 270) / 190, (y - 400) / 230)
    stripes = np.where(np.sin(np.arcsin(np.clip((x - 270) / 190, -1, 1)) * 6) > 0, 1.0, 0.0)[:, :, None]
    balloon = stripes * [60, 60, 225] + (1 - stripes) * [225, 235, 245]
    balloon = (
        balloon * (1.1 - 0.45 * far)[:, :, None]
        + 60 * np.exp(-(((x - 200) / 60) ** 2 + ((y - 300) / 70) ** 2))[:, :, None]
    )
    shine = np.clip((far - 0.8) / 0.2, 0, 1)[:, :, None] * 0.35
    balloon = balloon * (1 - shine) + green * shine
    inside = np.clip((1 - far) * 90, 0, 1)[:, :, None]
    picture = green * (1 - inside) + balloon * inside
    solid = _bytes(picture)
    for side in (-1, 1):
        cv2.line(solid, (270 + side * 60, 620), (270 + side * 26, 740), (40, 50, 60), 3, cv2.LINE_AA)
    cv2.rectangle(solid, (236, 738), (304, 790), (45, 80, 130), -1, cv2.LINE_AA)
    return solid


def _lamp() -> Picture:
    """Rings of colour, clear around them: a logo."""
    picture = np.zeros((540, 540, 4), np.uint8)
    for radius, colour in ((250, (60, 200, 255)), (190, (70, 90, 240)), (120, (240, 240, 250))):
        cv2.circle(picture, (270, 270), radius, (*colour, 255), -1, cv2.LINE_AA)
    return picture


def _light() -> Picture:
    """Coloured lights out of focus, on black: what is laid over pictures to warm them."""
    x, y = np.meshgrid(np.arange(540) + 0.5, np.arange(960) + 0.5)
    picture = np.full((960, 540, 3), (10.0, 6, 8))
    # Dim enough to add to a picture without burning it out.
    spots = (
        (120, 180, 150, (20, 70, 170)),
        (430, 320, 190, (120, 40, 130)),
        (240, 620, 170, (20, 120, 140)),
        (430, 850, 140, (150, 100, 30)),
    )
    for across, down, radius, colour in spots:
        disc = 1 / (1 + np.exp((np.hypot(x - across, y - down) - radius) / 7))
        picture += (
            disc[:, :, None]
            * np.array(colour, float)
            * (0.65 + 0.35 * np.hypot(x - across, y - down) / radius)[:, :, None]
        )
    return _bytes(picture)


# --- the families -----------------------------------------------------------------------------------------------------


def camera_moves(studio: Studio) -> Cells:
    """Four moments of three seconds."""
    moments = (0, 30, 59, 89)
    return {
        kind: studio.frames([[studio.clip("city", 0, 3 * SECOND, motion={"kind": kind})]], moments)
        for kind in get_args(Camera)
    }


def transitions(studio: Studio) -> Cells:
    """Four moments on the way from the dunes to the planets."""
    moments = [SCENE * 30 // 1000 + CHANGE_FRAMES * part // 20 for part in (2, 7, 12, 17)]
    return {name: studio.frames([_changing(studio, name)], moments) for name in get_args(TransitionName)}


def _changing(studio: Studio, name: str) -> list[VideoClip]:
    change = {"kind": name, "duration_ms": CHANGE_MS}
    return [studio.clip("dunes", 0, SCENE), studio.clip("planets", SCENE, SCENE, transition=change)]


def blend_modes(studio: Studio) -> Cells:
    """Coloured lights over mountains."""
    below = [studio.clip("mountains")]
    return {name: studio.frames([below, [studio.clip("light", blend=name)]], [0]) for name in get_args(Blend)}


def effects(studio: Studio) -> Cells:
    """The same picture, and what each effect makes of it."""
    warm = studio.look("warm", lambda rgb: rgb ** [0.8, 1.0, 1.3] * [1.06, 1.0, 0.86] + [0.02, 0.0, 0.04])
    given: Mapping[str, list[dict[str, Any]]] = {
        "as it is": [],
        "brightness 0.3": [{"kind": "adjust", "brightness": 0.3}],
        "contrast 0.3": [{"kind": "adjust", "contrast": 0.3}],
        "saturation 0": [{"kind": "adjust", "saturation": 0}],
        "saturation 1.8": [{"kind": "adjust", "saturation": 1.8}],
        "lut": [{"kind": "lut", "source": warm}],
        "blur": [{"kind": "blur", "radius": 0.02}],
        "grain": [{"kind": "grain", "amount": 0.6}],
        "vignette": [{"kind": "vignette", "amount": 0.8}],
    }
    shown = {name: studio.frames([[studio.clip("city", effects=some)]], [0]) for name, some in given.items()}
    return shown | _keyed(studio)


def _keyed(studio: Studio) -> Cells:
    below = [studio.clip("mountains")]
    keys = {"chroma_key": {"kind": "chroma_key"}, "with spill 0": {"kind": "chroma_key", "spill": 0}}
    shown = {"before the key": studio.frames([[studio.clip("screen")]], [0])}
    return shown | {
        name: studio.frames([below, [studio.clip("screen", effects=[key])]], [0]) for name, key in keys.items()
    }


def placing(studio: Studio) -> Cells:
    """Where a clip can lie, and how."""
    below = [studio.clip("dunes")]
    over: Mapping[str, dict[str, Any]] = {
        "scale 0.5": {"scale": 0.5},
        "rotation 12": {"scale": 0.6, "rotation_degrees": 12},
        "corner 0.3": {"scale": 0.6, "corner_radius": 0.3},
        "corner 1": {"scale": 0.6, "corner_radius": 1},
        "shadow": {"scale": 0.6, "corner_radius": 0.1, "shadow": 1},
        "opacity 0.5": {"scale": 0.6, "opacity": 0.5},
        "at 0.7, 0.3": {"scale": 0.4, "x": 0.7, "y": 0.3, "corner_radius": 0.15, "shadow": 0.7},
    }
    shown = {name: studio.frames([below, [studio.clip("planets", **given)]], [0]) for name, given in over.items()}
    logo: dict[str, Any] = {"scale": 0.5, "fit": "contain", "shadow": 0.8}
    shown["clear picture"] = studio.frames([below, [studio.clip("lamp", **logo)]], [0])
    fits = {f"fit {fit}": studio.frames([[studio.clip("wide", fit=fit)]], [0]) for fit in ("cover", "contain", "blur")}
    return shown | fits


def keyframes(studio: Studio) -> Cells:
    """One keyframed property at a time, in four moments."""
    ways: Mapping[str, tuple[float, float]] = {
        "x": (0.25, 0.75),
        "y": (0.25, 0.75),
        "scale": (0.2, 0.9),
        "rotation_degrees": (-30, 60),
        "opacity": (0, 1),
        "corner_radius": (0, 1),
        "shadow": (0, 1),
    }
    return {
        name: studio.frames([[studio.clip("dunes")], [_keyframed(studio, name, *way)]], (0, 10, 20, 29))
        for name, way in ways.items()
    }


def _keyframed(studio: Studio, name: str, start: float, end: float) -> VideoClip:
    points = [{"at_ms": 0, "value": start, "easing": "ease_in_out_cubic"}, {"at_ms": 950, "value": end}]
    given: dict[str, Any] = {"scale": 0.5, "shadow": 0.6, "corner_radius": 0.1, "keyframes": {name: points}}
    return studio.clip("planets", **given)


def sources(studio: Studio) -> Cells:
    """What needs no file, over dunes: drawn, and laid on the canvas like any other picture."""
    below = [studio.clip("dunes")]
    yellow, ink = "#FFD23F", "#12203A"
    shapes: dict[str, Any] = {
        name: {"kind": "shape", "shape": name, "colour": yellow, "stroke": 0.02, "stroke_colour": ink}
        for name in get_args(ShapeSource.model_fields["shape"].annotation)
    }
    words: dict[str, Any] = {
        "text": {"kind": "text", "text": "Why the night sky is dark", "size": 0.12, "outline": 0.07},
        "text, ground": {"kind": "text", "text": "Why the night sky is dark", "size": 0.11, "ground": "#E4002B"},
    }
    lamp = studio.picture("lamp")
    logo = {"kind": "logo", "asset_id": lamp.asset_id, "sha256": lamp.sha256, "corner": "top_left", "width": 0.3}
    fields: dict[str, Any] = {
        "gradient": {"kind": "gradient", "colours": [ink, "#E4572E"], "angle_degrees": 60},
        "radial": {"kind": "gradient", "colours": [yellow, ink], "shape": "radial"},
    }
    return {
        **{name: studio.frames([[_drawn(source)]], [0]) for name, source in fields.items()},
        **{name: studio.frames([below, [_drawn(source, shadow=0.6)]], [0]) for name, source in shapes.items()},
        **{name: studio.frames([below, [_drawn(source, rotation_degrees=-6)]], [0]) for name, source in words.items()},
        "logo": studio.frames([below, [_drawn({**logo, "height": 0.3}, shadow=0.6)]], [0]),
    }


def _drawn(source: dict[str, Any], **given: Any) -> VideoClip:
    return VideoClip.model_validate({"id": "d", "start_ms": 0, "duration_ms": SECOND, "source": source, **given})


def animations(studio: Studio) -> Cells:
    """Three moments of the first half second."""
    words = {"kind": "text", "text": "Why is it dark?", "size": 0.11, "ground": "#0A0C12"}
    return {
        name: studio.frames(
            [[studio.clip("dunes")], [_drawn(words, enter={"kind": name, "duration_ms": 500})]], (2, 5, 10)
        )
        for name in get_args(AnimationName)
    }


def overlays(studio: Studio) -> Cells:
    """Every style while it comes, and when it stands."""
    said: dict[str, dict[str, Any]] = {
        "kicker": {"text": "Astronomy"},
        "watermark": {"text": "@nightsky"},
        "progress": {"text": ""},
        "counter": {"text": "{n} km", "detail": "from here to the sun", "count": (0, 149_600)},
        "lower_third": {"text": "Heinrich Olbers", "detail": "Physician and astronomer"},
        "quote": {"text": "Light needs time to arrive.", "detail": "Heinrich Olbers"},
        "heading": {"text": "Light needs time", "detail": "1 of 5"},
    }
    usual = {"id": "o", "start_ms": 0, "duration_ms": 2 * SECOND, "text": "Why the night sky is dark"}
    return {
        style: studio.overlaid(OverlayClip.model_validate({**usual, "style": style, **said.get(style, {})}), (4, 40))
        for style in get_args(OverlayStyle)
    }


SAMPLE = (
    ("Why is the night sky dark?", "city"),
    ("There are more stars than grains of sand.", "dunes"),
    ("But their light needs time to reach us.", "planets"),
    ("So we see only as far as the past allows.", "mountains"),
)


def templates(studio: Studio) -> Cells:
    """Four scenes in each template: while the title stands, in the middle of two others, and at the end."""
    return {name: _sampled(studio, name) for name in SHIPPED}


def aspects(studio: Studio) -> Cells:
    """One film in every shape: under its title, and while a wide picture is shown whole."""
    return {aspect: _shaped(studio, Canvas.of(aspect, "540p")) for aspect in get_args(Aspect)}


def _shaped(studio: Studio, canvas: Canvas) -> list[Picture]:
    timeline = compile_timeline(shipped("short"), replace(_sample(studio), canvases=(canvas,)))
    pictures, others = picture_tracks(timeline)[0], timeline.tracks[1:]
    shown_whole = {"source": studio.picture("wide"), "fit": "blur", "motion": Motion(kind="static")}
    clips = [clip.model_copy(update=shown_whole if at == 2 else {}) for at, clip in enumerate(pictures.clips)]
    timeline = timeline.model_copy(update={"tracks": [pictures.model_copy(update={"clips": clips}), *others]})
    moments = [clips[0].start_ms + 1500, clips[2].start_ms + 1400]
    return studio.film(timeline, [moment * timeline.fps // 1000 for moment in moments])


def _sampled(studio: Studio, name: str) -> list[Picture]:
    timeline = compile_timeline(shipped(name), _sample(studio))
    scenes = [clip.start_ms for track in timeline.tracks if track.kind == "audio" for clip in track.clips]
    moments = [scenes[0] + 1500, scenes[1] + 1400, scenes[2] + 1400, timeline.duration_ms - 800]
    return studio.film(timeline, [moment * timeline.fps // 1000 for moment in moments])


def _sample(studio: Studio) -> Bindings:
    """What fills a template for its picture."""
    keys = [f"s{number}" for number in range(1, len(SAMPLE) + 1)]
    segments = [Segment(id=key, content=text) for key, (text, _) in zip(keys, SAMPLE, strict=True)]
    speech = {key: _said(text) for key, (text, _) in zip(keys, SAMPLE, strict=True)}
    visuals = {key: _seen(studio.picture(name)) for key, (_, name) in zip(keys, SAMPLE, strict=True)}
    lamp = studio.picture("lamp")
    return Bindings(
        script=Script(title="Why the night sky is dark", segments=segments, cta="Look up tonight"),
        visuals=visuals,
        speech=speech,
        canvases=(CAPTIONED,),
        slots={"author": "Heinrich Olbers", "logo": MediaRef(asset_id=lamp.asset_id, sha256=lamp.sha256)},
    )


def _said(text: str) -> Speech:
    """400 ms for each word."""
    words = [Word(text=word, start_ms=400 * at, end_ms=400 * at + 400) for at, word in enumerate(text.split())]
    audio = MediaRef(asset_id="asset_voice", sha256="0" * 64)
    return Speech(audio=audio, text=text, words=words, language="en", voice="none", duration_ms=words[-1].end_ms)


def _seen(source: AssetSource) -> Visual:
    return Visual(MediaRef(asset_id=source.asset_id, sha256=source.sha256))


SENTENCE = "The night sky is dark because light needs time"
SENTENCES = {
    "en": SENTENCE,
    "ru": "Ночное небо тёмное потому что свету нужно время",
    "el": "Γιατί είναι σκοτεινός ουρανός νύχτα",
    "ar": "السماء مظلمة ليلا لأن الضوء يحتاج وقتا",
    "he": "שמי הלילה חשוכים כי האור צריך זמן",
    "fa": "آسمان شب تاریک است چون نور می‌آید",
    "ur": "رات کا آسمان تاریک ہے کیونکہ روشنی",
    "hi": "रात का आकाश अंधेरा है क्योंकि प्रकाश",
    "bn": "রাতের আকাশ অন্ধকার কারণ আলোর সময়",
    "th": "ท้องฟ้า ยาม ค่ำคืน มืด เพราะ แสง ใช้ เวลา",
    "zh": "夜空 之所以 黑暗 是 因为 光 需要 时间",
    "ja": "夜空が 暗いのは 光が まだ 届いて いない から",
    "ko": "밤하늘이 어두운 것은 빛이 아직 오지 않았기",
    "mixed": "قال NASA إن عمر الكون 13.8 مليار سنة",
}
UNSPACED = frozenset({"th", "zh", "ja", "without spaces"})
WITH_EMOJI = "So🔥 hot 🚀 everybody goes 🎉"
HARD_EMOJI = {
    "people": "Hi 👍🏽 to 👩🏽‍🚀 and 👨‍👩‍👧 all",
    "flags": "From 🇫🇷 to 🇯🇵 and 🏴󠁧󠁢󠁳󠁣󠁴󠁿 home",
    "keys and hearts": "Press 1️⃣ then #️⃣ with ❤️ now",
    "right to left": "السماء 🌙 مظلمة 🔥 ليلا NASA 🚀 تقول",
    "without spaces": "夜空が 🌌 暗いのは 光が ✨ まだ",
}
LANGUAGES = {"mixed": "ar", "right to left": "ar", "without spaces": "ja"}


def captions(studio: Studio) -> Cells:
    """Every look in two moments of one sentence."""
    return {look: studio.captioned(_spoken("en", look), (39, 75)) for look in get_args(CaptionLook)}


def scripts(studio: Studio) -> Cells:
    """The same look in every script, while the third word is spoken."""
    return {name: studio.captioned(_spoken(name, "karaoke"), (30,)) for name in SENTENCES}


def emoji(studio: Studio) -> Cells:
    """In every look, and what is harder: sequences, flags, keys, and lines that run from right to left."""
    looks = {look: studio.captioned(_spoken("emoji", look), (39,)) for look in get_args(CaptionLook)}
    return looks | {name: studio.captioned(_spoken(name, "karaoke"), (30,)) for name in HARD_EMOJI}


def _spoken(name: str, look: CaptionLook) -> CaptionTrack:
    """400 ms for each word."""
    words = {**SENTENCES, **HARD_EMOJI, "emoji": WITH_EMOJI}[name].split()
    timed = [CaptionWord(text=word, start_ms=400 * at, end_ms=400 * at + 400) for at, word in enumerate(words)]
    text = "".join(words) if name in UNSPACED else " ".join(words)
    cue = CaptionClip(id="c", start_ms=0, duration_ms=400 * len(words), text=text, words=timed)
    return CaptionTrack(id="s", language=LANGUAGES.get(name, name), style=look, clips=[cue])


FAMILIES: Mapping[str, Callable[[Studio], Cells]] = {
    "camera-moves": camera_moves,
    "transitions": transitions,
    "blend-modes": blend_modes,
    "effects": effects,
    "placing": placing,
    "keyframes": keyframes,
    "sources": sources,
    "animations": animations,
    "overlays": overlays,
    "templates": templates,
    "aspects": aspects,
    "captions": captions,
    "scripts": scripts,
    "emoji": emoji,
}
# Cells in which there is more to see than in others, in pixels.
HEIGHTS: Mapping[str, int] = {"templates": 240, "aspects": 240}
