"""video: one's own video in one line, over the public interface."""

# ruff: noqa: PLC0415  commands import what they need when they are called, so that `fenta --help` is quick

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from .console import console

TEMPLATES = "short, news, story, list, quote, product, explainer, podcast, minimal"


class Mood(StrEnum):
    """What the music may be like."""

    AMBIENT = "ambient"
    UPBEAT = "upbeat"
    DRAMATIC = "dramatic"
    PODCAST_INTRO = "podcast_intro"
    TRANSITION = "transition"


class Resolution(StrEnum):
    """How many lines the shorter side has."""

    FOUR_TIMES = "2160p"
    FULL = "1080p"
    HALF = "720p"
    DRAFT = "540p"


class Aspect(StrEnum):
    """Width to height."""

    PORTRAIT = "9:16"
    LANDSCAPE = "16:9"
    SQUARE = "1:1"
    TALL = "4:5"


class Codec(StrEnum):
    """How the film is encoded."""

    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"
    VP9 = "vp9"


class Preview(StrEnum):
    """Small pictures of the film that move."""

    GIF = "gif"
    WEBP = "webp"
    SPRITE = "sprite"


class Sound(StrEnum):
    """The sound without the film."""

    M4A = "m4a"
    MP3 = "mp3"
    WAV = "wav"


class Document(StrEnum):
    """What tells of the film."""

    OTIO = "otio"
    LOUDNESS = "loudness"
    PROVENANCE = "provenance"


def add_to(app: typer.Typer) -> None:
    app.command()(video)


def video(
    topic: Annotated[str, typer.Argument(help="What it is about, such as “Why the night sky is dark”.")],
    *,
    seconds: Annotated[int, typer.Option("--seconds", "-s", help="How long it may be.")] = 30,
    point: Annotated[list[str] | None, typer.Option("--point", "-p", help="A fact to tell; may be repeated.")] = None,
    language: Annotated[str, typer.Option(help="en, fr, de, it, ar, ary.")] = "en",
    voice: Annotated[str, typer.Option(help="Such as en_female; GET /v1/voices lists them.")] = "auto",
    mood: Annotated[Mood, typer.Option(help="What the music is like.")] = Mood.AMBIENT,
    template: Annotated[str, typer.Option(help=f"{TEMPLATES}; or your own, tmpl_…@1.")] = "short",
    slot: Annotated[list[str] | None, typer.Option(help="What the template takes, such as accent=#19E3B1.")] = None,
    music: Annotated[bool, typer.Option("--music/--no-music")] = True,
    captions: Annotated[bool, typer.Option("--captions/--no-captions")] = True,
    aspect: Annotated[list[Aspect] | None, typer.Option("--aspect", "-a", help="May be repeated.")] = None,
    resolution: Annotated[Resolution, typer.Option(help="540p is a draft, 2160p is 4K.")] = Resolution.FULL,
    fps: Annotated[int | None, typer.Option(help="24, 25, 30 or 60; 30 if not said.")] = None,
    codec: Annotated[Codec | None, typer.Option(help="Of the film; h264 if not said.")] = None,
    preview: Annotated[list[Preview] | None, typer.Option(help="Beside it; may be repeated.")] = None,
    sound: Annotated[Sound | None, typer.Option(help="The sound alone too.")] = None,
    document: Annotated[list[Document] | None, typer.Option(help="Beside it; may be repeated.")] = None,
    out: Annotated[Path, typer.Option(help="Where the files go.")] = Path("video"),
    api: Annotated[str | None, typer.Option(envvar="FENTA_API_URL", help="A Fenta elsewhere.")] = None,
    token: Annotated[str | None, typer.Option(envvar="FENTA_TOKEN", help="Its access token.")] = None,
) -> None:
    """Make a video and fetch its files.

    It is made by the Fenta at --api, or by the one that runs here, or by one that is started for it and stopped again.
    """
    body = brief(
        topic,
        point or [],
        seconds=seconds,
        language=language,
        voice=voice,
        mood=mood if music else None,
        captions=captions,
        aspects=aspect or [Aspect.PORTRAIT],
        resolution=resolution,
        fps=fps,
        codec=codec,
        previews=preview,
        audio=sound,
        documents=document,
        template=template,
        slots=dict(map(_filled, slot or [])),
    )
    make_video(body, out, api=api, token=token)


def _filled(words: str) -> tuple[str, str]:
    key, equals, value = words.partition("=")
    if not equals:
        raise typer.BadParameter(f"{words} is not of the form key=value.")
    return key.strip(), value.strip()


def _named(template: str) -> str:
    return template if template.startswith(("fenta/", "tmpl_")) else f"fenta/{template}"


def brief(
    topic: str,
    points: list[str],
    *,
    seconds: int = 30,
    language: str = "en",
    voice: str = "auto",
    mood: str | None = Mood.AMBIENT,
    captions: bool = True,
    aspects: Sequence[str] = (Aspect.PORTRAIT,),
    resolution: str = Resolution.FULL,
    template: str = "short",
    slots: Mapping[str, str] | None = None,
    **output: Any,
) -> dict[str, Any]:
    """The body of `POST /v1/video/generate`; `output` is what else is said of what comes out."""
    return {
        "topic": topic,
        "points": points,
        "duration_seconds": seconds,
        "language": language,
        "voice": {"voice_id": voice},
        "music": {"mood": str(mood)} if mood else False,
        "captions": {} if captions else False,
        "template_id": _named(template),
        "slots": dict(slots or {}),
        "aspects": [str(aspect) for aspect in aspects],
        "output": {"resolution": str(resolution), **{name: wish for name, wish in output.items() if wish}},
    }


def make_video(body: dict[str, Any], folder: Path, *, api: str | None, token: str | None) -> None:
    """Ends with status 1 and an explanation when there is no video, with 130 when it was stopped."""
    from fenta.embedded.client.api import Api
    from fenta.embedded.client.production import Producer, Stopwatch
    from fenta.embedded.home import Home
    from fenta.embedded.supervisor import running_supervisor

    from .failures import explained
    from .signals import stop_on_signals
    from .targets import own_home, reached

    stop_on_signals()
    home, own, watch = Home(), own_home("video"), Stopwatch()
    logs = None if api else (home if running_supervisor(home) else own)
    with explained(logs, "type the same command"):
        with reached(api, token, home, own, watch) as target, Api(target.url, target.token) as client:
            produced = Producer(client, console, watch).make(body, folder)
        show(produced, watch)


def show(produced: Any, watch: Any) -> None:
    from fenta.embedded.client import report

    report.show_bill(console, produced.bill)
    report.show_files(console, produced.files)
    report.show_phases(console, watch.phases, watch.total)
