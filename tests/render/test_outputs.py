"""What one render gives beside its film: other codecs, previews, sound alone, documents."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import opentimelineio as otio
import pytest

from fenta.contracts.nodes import RenderParams
from fenta.contracts.timeline import AudioTrack, Canvas, CaptionTrack, Timeline
from fenta.render import encoders
from fenta.render.engine import Rendered, render
from fenta.render.errors import TimelineRefused
from fenta.render.inspection import inspect
from tests.render.media import Shelf, heard, timeline

TINY = Canvas(aspect="9:16", width=90, height=160)
WIDE = Canvas(aspect="16:9", width=160, height=90)


@pytest.fixture
def document(shelf: Shelf) -> Timeline:
    return timeline(shelf, ["So we see the past."])


async def made(
    document: Timeline, shelf: Shelf, folder: Path, canvases: Sequence[Canvas] = (TINY,), **params: Any
) -> Rendered:
    wanted = RenderParams(**params)
    return await render(document, sources=shelf.files, canvases=canvases, folder=folder, params=wanted, workers=1)


# --- codecs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["hevc", "av1", "vp9"])
async def test_every_codec_gives_a_whole_film(document: Timeline, shelf: Shelf, tmp_path: Path, codec: Any) -> None:
    rendered = await made(document, shelf, tmp_path / "out", codec=codec)
    film = rendered.films[0]
    facts = inspect(film.video)
    assert (facts.codec, facts.colour, facts.frames) == (codec, (1, 1, 1, 1), film.frames)
    assert rendered.encoder == encoders.SOFTWARE[codec].name
    with av.open(str(film.video)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(frames) == film.frames
    assert min(frame.mean() for frame in frames) > 20


async def test_better_quality_costs_bytes(document: Timeline, shelf: Shelf, tmp_path: Path) -> None:
    sizes = []
    for quality in ("draft", "standard", "high"):
        rendered = await made(document, shelf, tmp_path / quality, quality=quality)
        sizes.append(rendered.films[0].video.stat().st_size)
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 1.5


def test_a_card_that_is_not_there_is_not_taken() -> None:
    """Where one is, it is."""
    working = [card for card in encoders.HARDWARE if card.codec == "h264" and encoders.seconds(card) is not None]
    expected = working[0] if working else encoders.SOFTWARE["h264"]
    assert encoders.choose("h264", "hardware") == expected
    assert encoders.choose("h264", "software") == encoders.SOFTWARE["h264"]


def test_a_working_card_is_taken_when_asked_for_or_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    took = {"h264_qsv": 0.5, "libx264": 0.3}
    monkeypatch.setattr(encoders, "seconds", lambda encoder: took.get(encoder.name))
    assert encoders.choose("h264", "hardware").name == "h264_qsv"
    assert encoders.choose("h264", "auto").name == "libx264"
    took["h264_amf"] = 0.2
    assert encoders.choose("h264", "auto").name == "h264_amf"
    took["h264_nvenc"] = 0.25
    assert encoders.choose("h264", "auto").name == "h264_nvenc"


# --- previews ---------------------------------------------------------------------------------------------------------


async def test_previews_of_every_film(document: Timeline, shelf: Shelf, tmp_path: Path) -> None:
    rendered = await made(document, shelf, tmp_path / "out", (TINY, WIDE), previews=["gif", "webp", "sprite"])
    for film in rendered.films:
        assert set(film.previews) == {"gif", "webp", "sprite", "sprite_vtt"}
        assert film.previews["webp"].read_bytes()[8:16] == b"WEBPVP8X"
        with av.open(str(film.previews["gif"])) as container:
            pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
        assert pictures[0].shape == (film.canvas.height, film.canvas.width)
        assert len(pictures) == pytest.approx(film.duration_ms / 125, abs=2)
        assert cv2.absdiff(pictures[0], pictures[-1]).mean() > 2


async def test_a_sprites_cues_lead_to_the_frames_of_their_moments(
    document: Timeline, shelf: Shelf, tmp_path: Path
) -> None:
    rendered = await made(document, shelf, tmp_path / "out", (WIDE, TINY), previews=["sprite"])
    assert [film.previews["sprite"].name for film in rendered.films] == ["sprite-16x9.jpg", "sprite-9x16.jpg"]
    film = rendered.films[0]
    sheet = cv2.imread(str(film.previews["sprite"]), cv2.IMREAD_GRAYSCALE)
    with av.open(str(film.video)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    cues = film.previews["sprite_vtt"].read_text().split("\n\n")[1:]
    for number, cue in enumerate(cues):
        assert "sprite.jpg#xywh=" in cue
        x, y, width, height = map(int, cue.strip().partition("xywh=")[2].split(","))
        tile = sheet[y : y + height, x : x + width].astype(float)
        others = [np.abs(tile - cv2.resize(frame, (width, height))).mean() for frame in frames]
        assert others[number * 15] < 6
    assert len(cues) == -(-film.frames // 15)


# --- sound alone ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["m4a", "mp3", "wav"])
async def test_the_sound_alone_is_the_films(document: Timeline, shelf: Shelf, tmp_path: Path, kind: Any) -> None:
    rendered = await made(document, shelf, tmp_path / "out", audio=kind)
    alone, film = heard(rendered.beside["audio"]), heard(rendered.films[0].video)
    assert rendered.beside["audio"].name == f"audio.{kind}"
    assert len(alone) == pytest.approx(len(film), abs=4000)
    assert np.sqrt(np.mean(alone**2)) == pytest.approx(np.sqrt(np.mean(film**2)), rel=0.1)


async def test_sound_alone_of_a_silent_film_is_refused(document: Timeline, shelf: Shelf, tmp_path: Path) -> None:
    silent = [track for track in document.tracks if not isinstance(track, AudioTrack)]
    with pytest.raises(TimelineRefused, match="nothing is to be heard"):
        await made(document.model_copy(update={"tracks": silent}), shelf, tmp_path / "out", audio="mp3")


# --- documents --------------------------------------------------------------------------------------------------------


async def test_reports_say_what_was_made(document: Timeline, shelf: Shelf, tmp_path: Path) -> None:
    rendered = await made(document, shelf, tmp_path / "out", sidecars=["otio", "loudness", "provenance"])
    assert set(rendered.beside) == {"otio", "loudness", "provenance"}
    assert otio.adapters.read_from_file(str(rendered.beside["otio"])).name == document.title
    loudness = json.loads(rendered.beside["loudness"].read_text())
    assert loudness["integrated_lufs"] == pytest.approx(-14, abs=0.4)
    assert loudness["true_peak_dbtp"] <= -1
    assert len(loudness["short_term_lufs"]) == document.duration_ms // 1000
    origin = json.loads(rendered.beside["provenance"].read_text())
    film = rendered.films[0].video.read_bytes()
    assert origin["films"][0]["sha256"] == hashlib.sha256(film).hexdigest()
    assert {source["sha256"] for source in origin["sources"]} <= set(shelf.files)
    assert origin["made_with"]["encoder"] == "libx264"
    assert origin["segments"] == list(rendered.segments)


async def test_nothing_to_read_or_to_measure_gives_no_document(
    document: Timeline, shelf: Shelf, tmp_path: Path
) -> None:
    bare = [track for track in document.tracks if not isinstance(track, AudioTrack | CaptionTrack)]
    mute = document.model_copy(update={"tracks": bare})
    rendered = await made(mute, shelf, tmp_path / "out", sidecars=["srt", "vtt", "loudness", "provenance"])
    assert set(rendered.beside) == {"provenance"}
