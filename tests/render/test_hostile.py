"""Files from strangers: read as what they are, whatever they are called and whatever they name."""

import json
import os
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from fenta.contracts.timeline import AssetSource, Canvas, Timeline, VideoClip, VideoTrack
from fenta.render import audio, programs, sniffing
from fenta.render.compose.composer import Composer
from fenta.render.errors import RenderRefused
from fenta.render.timeline import frame_plan
from tests.render.media import heard

TINY = Canvas(aspect="9:16", width=72, height=128)
PICTURE = ["-f", "lavfi", "-i", "testsrc=s=96x64:r=10:d=1"]
SOUND = ["-f", "lavfi", "-i", "sine=f=440:d=1"]


def made(path: Path, *arguments: str) -> Path:
    command = [programs.ffmpeg_path(), "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True)
    return path


def seen(path: Path, folder: Path) -> np.ndarray:
    """The first frame of a film that shows this file."""
    source = AssetSource(asset_id="a", sha256="s", media="video")
    track = VideoTrack(id="v", clips=[VideoClip(id="c", start_ms=0, duration_ms=500, source=source)])
    plan = frame_plan(Timeline(duration_ms=500, canvases=[TINY], tracks=[track]), TINY)
    frames = Composer(plan, {"s": path}, folder).frames(0, 1)
    return next(iter(frames)).y.copy()


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("a.mp4", "mov", []), ("a.mov", "mov", []), ("a.mkv", "matroska", []),
        ("a.webm", "matroska", ["-c:v", "libvpx"]),
        ("a.avi", "avi", []), ("a.flv", "flv", []), ("a.ts", "mpegts", []), ("a.gif", "gif", []),
    ],
)  # fmt: skip
def test_films_are_known_by_their_bytes_under_any_name(
    tmp_path: Path, name: str, kind: str, options: list[str]
) -> None:
    film = made(tmp_path / name, *PICTURE, *options).rename(tmp_path / "film.bin")
    assert sniffing.demuxer(film, "c") == kind
    assert seen(film, tmp_path).std() > 20


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.wav", "wav"), ("a.mp3", "mp3"), ("a.aac", "aac"), ("a.m4a", "mov"), ("a.flac", "flac"), ("a.ogg", "ogg"),
     ("a.aiff", "aiff")],
)  # fmt: skip
def test_sounds_are_known_by_their_bytes_under_any_name(tmp_path: Path, name: str, kind: str) -> None:
    sound = made(tmp_path / name, *SOUND).rename(tmp_path / "sound.bin")
    assert sniffing.demuxer(sound, "c") == kind
    samples = heard(sound)
    assert abs(len(samples) / audio.RATE - 1) < 0.1
    assert np.abs(samples).max() > 0.05


def test_an_mp3_without_a_tag_is_one_too(tmp_path: Path) -> None:
    sound = made(tmp_path / "a.mp3", *SOUND, "-id3v2_version", "0", "-write_xing", "0")
    assert sound.read_bytes()[:3] != b"ID3"
    assert sniffing.demuxer(sound, "c") == "mp3"


SECRET = "secret of this machine"


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{secret}'\n",
        "<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><image href='file://{secret}'/></svg>",
        "<?xml version='1.0'?><MPD><BaseURL>file://{secret}</BaseURL></MPD>",
        "subfile,,start,0,end,0,,:{secret}",
        "[playlist]\nFile1=file://{secret}\n",
        "",
        "R",
    ],
    ids=["hls", "concat", "svg", "dash", "subfile", "pls", "empty", "one byte"],
)
def test_what_names_other_files_is_refused_and_they_stay_closed(tmp_path: Path, text: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    hostile = tmp_path / "film.mp4"
    hostile.write_text(text.format(secret=secret))
    with pytest.raises(RenderRefused) as refused:
        seen(hostile, tmp_path)
    assert refused.value.code == "source_invalid"
    assert "clip c" in refused.value.message
    with pytest.raises(RenderRefused):
        heard(hostile)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile other.mp4\n",
    ],
    ids=["hls", "concat"],
)
def test_somebody_else_s_film_is_not_shown_by_naming_it(tmp_path: Path, text: str) -> None:
    other = made(tmp_path / "other.mp4", *PICTURE, "-bf", "0")
    hostile = tmp_path / "film.mp4"
    hostile.write_text(text)
    assert outcome(other, tmp_path) == "seen"
    assert outcome(hostile, tmp_path) == "source_invalid"


def test_a_playlist_behind_a_film_s_head_opens_nothing(tmp_path: Path) -> None:
    """It says it is an MP4, and is then opened as one."""
    hostile = tmp_path / "film.mp4"
    hostile.write_bytes(b"\x00\x00\x00\x18ftypisom#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    with pytest.raises(RenderRefused):
        seen(hostile, tmp_path)


def outcome(path: Path, folder: Path) -> str:
    try:
        return "seen" if seen(path, folder).shape == (TINY.height, TINY.width) else "of another size"
    except RenderRefused as refused:
        return refused.code


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_truncated_film_is_shown_as_far_as_it_goes_or_refused(tmp_path: Path, share: float) -> None:
    whole = made(tmp_path / "a.mkv", *PICTURE).read_bytes()
    part = tmp_path / "part.mkv"
    part.write_bytes(whole[: int(len(whole) * share)])
    assert outcome(part, tmp_path) in {"seen", "source_invalid"}


def test_an_mp4_that_names_its_samples_elsewhere_reads_nothing_of_it(tmp_path: Path) -> None:
    """QuickTime may keep its samples in another file; nobody asks for that one."""
    film = made(tmp_path / "a.mov", *PICTURE, "-c:v", "mjpeg")
    data = film.read_bytes()
    hostile = tmp_path / "elsewhere.mov"
    # The data reference says that it is not in this file, but under an address.
    hostile.write_bytes(data.replace(b"url \x00\x00\x00\x01", b"url \x00\x00\x00\x00"))
    assert outcome(hostile, tmp_path) in {"seen", "source_invalid"}


def test_programs_that_open_files_know_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "KAFKA_SASL_PASSWORD"):
        monkeypatch.setenv(name, SECRET)
    telling = tmp_path / "telling-ffmpeg"
    telling.write_text("#!/bin/sh\nenv\n")
    telling.chmod(0o755)
    monkeypatch.setattr(programs, "ffmpeg_path", lambda: str(telling))
    child = programs.start([], folder=tmp_path, stdout=subprocess.PIPE)
    told, _ = child.communicate()
    assert SECRET.encode() not in told
    assert b"PATH=" in told
    assert SECRET not in json.dumps(programs.harmless_environment())
    assert SECRET in os.environ.values()


def test_a_film_is_still_probed_by_its_own_kind(tmp_path: Path) -> None:
    film = made(tmp_path / "a.mp4", *PICTURE)
    with av.open(str(film), format=sniffing.demuxer(film, "c")) as container:
        assert container.streams.video[0].frames == 10
