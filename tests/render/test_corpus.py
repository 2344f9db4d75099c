"""Whatever people upload is shown as they see it elsewhere, or refused with a sentence: no hang, no crash."""

import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fenta.contracts.timeline import AssetSource, Canvas, Timeline, VideoClip, VideoTrack
from fenta.render import limits, programs
from fenta.render.audio import samples
from fenta.render.compose import layers
from fenta.render.compose.colour import yuv_of
from fenta.render.compose.composer import Composer
from fenta.render.compose.frame import Frame
from fenta.render.errors import RenderRefused
from fenta.render.timeline import frame_plan

TINY = Canvas(aspect="9:16", width=72, height=128)
ORANGE = "#E07020"
# The left half is orange, the right one blue.
HALVES = "color=0xE07020:s=64x64:r=10:d=1[a];color=0x2040C0:s=64x64:r=10:d=1[b];[a][b]hstack"


def made(path: Path, *arguments: str, graph: str = f"color={ORANGE.replace('#', '0x')}:s=96x160:r=10:d=1") -> Path:
    source = ["-f", "lavfi", "-i", graph] if graph else []
    subprocess.run([programs.ffmpeg_path(), "-v", "error", "-y", *source, *arguments, str(path)], check=True)
    return path


def shown(path: Path, folder: Path, media: Any = "video", *, number: int = 0, fit: Any = "cover") -> Frame:
    """A frame of a film that shows nothing but this file."""
    source = AssetSource(asset_id="a", sha256="s", media=media)
    track = VideoTrack(id="v", clips=[VideoClip(id="c", start_ms=0, duration_ms=1000, source=source, fit=fit)])
    plan = frame_plan(Timeline(duration_ms=1000, canvases=[TINY], tracks=[track]), TINY)
    kept = Frame(TINY.width, TINY.height)
    for frame in Composer(plan, {"s": path}, folder).frames(0, number + 1):
        kept.copy_from(frame)
    return kept


def colour_at(frame: Frame, x: float, y: float) -> tuple[int, int, int]:
    """Luma and chroma around a place, in shares of the canvas."""
    luma, u, v = (
        round(float(plane[max(0, int(y * h) - 2) : int(y * h) + 2, max(0, int(x * w) - 2) : int(x * w) + 2].mean()))
        for plane in frame.planes()
        for h, w in [plane.shape]
    )
    return luma, u, v


def assert_is(frame: Frame, hexadecimal: str, x: float = 0.5, y: float = 0.5, *, within: int = 8) -> None:
    found, wanted = colour_at(frame, x, y), tuple(int(value) for value in yuv_of(hexadecimal))
    assert max(abs(one - other) for one, other in zip(found, wanted, strict=True)) <= within, (found, wanted)


# --- films ------------------------------------------------------------------------------------------------------------

BT709 = ["-vf", "scale=out_color_matrix=bt709:out_range=tv,setparams=colorspace=bt709:range=tv"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", *BT709]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("1 frame a second.mp4", ["-r", "1", *X264]),
        ("1000 frames a second.mp4", ["-r", "1000", *X264]),
        ("10 bits.mp4", [*X264, "-pix_fmt", "yuv420p10le"]),
        ("4:2:2.mov", ["-c:v", "prores_ks", *BT709]),
        ("4:4:4.mp4", [*X264, "-pix_fmt", "yuv444p"]),
        ("lossless.mkv", ["-c:v", "ffv1", *BT709]),
        ("with alpha.mov", ["-c:v", "qtrle"]),
        ("mpeg2.ts", ["-c:v", "mpeg2video", "-r", "25", *BT709]),
        ("hevc.mp4", ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", *BT709]),
    ],
)
def test_a_film_of_any_form_has_its_colours(tmp_path: Path, name: str, options: list[str]) -> None:
    film = made(tmp_path / name.replace(":", ""), *options)
    assert_is(shown(film, tmp_path, number=20), ORANGE)


def test_an_odd_size_fills_the_canvas(tmp_path: Path) -> None:
    film = made(tmp_path / "odd.mp4", *X264, "-pix_fmt", "yuv444p", graph="color=0xE07020:s=97x171:r=10:d=1")
    frame = shown(film, tmp_path)
    for x, y in ((0.05, 0.03), (0.95, 0.97), (0.5, 0.5)):
        assert_is(frame, ORANGE, x, y)


def test_frames_of_uneven_length_are_seen_at_their_times(tmp_path: Path) -> None:
    """White for the first 0.7 s, in seven frames; black afterwards, in one."""
    graph = "color=white:s=64x64:r=10:d=0.7[a];color=black:s=64x64:r=10:d=1[b];[a][b]concat,select='lt(n,8)'"
    film = made(tmp_path / "uneven.mkv", "-fps_mode", "vfr", *X264, graph=graph)
    lumas = [colour_at(shown(film, tmp_path, number=number), 0.5, 0.5)[0] for number in (0, 19, 22, 29)]
    assert lumas[0] > 200
    assert lumas[1] > 200
    assert lumas[2] < 40
    assert lumas[3] < 40


@pytest.mark.parametrize(
    ("turn", "places"),
    [
        (0, {"#E07020": (0.1, 0.5), "#2040C0": (0.9, 0.5)}),
        (90, {"#E07020": (0.5, 0.9), "#2040C0": (0.5, 0.1)}),
        (180, {"#2040C0": (0.1, 0.5), "#E07020": (0.9, 0.5)}),
        (270, {"#E07020": (0.5, 0.1), "#2040C0": (0.5, 0.9)}),
    ],
)
def test_a_film_of_a_turned_phone_stands_upright(tmp_path: Path, turn: int, places: dict[str, Any]) -> None:
    level = made(tmp_path / "level.mp4", *X264, graph=HALVES)
    turned = made(tmp_path / "turned.mp4", "-display_rotation", str(turn), "-i", str(level), "-c", "copy", graph="")
    frame = shown(turned, tmp_path, fit="cover" if turn % 180 else "contain")
    for colour, place in places.items():
        assert_is(frame, colour, *place)


def test_light_beyond_the_screen_is_toned(tmp_path: Path) -> None:
    """Grey of 100 nits in PQ stands at half of the scale; shown as it is, it would be half as bright."""
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv"
    bt2020 = "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    x265 = ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"]
    bright, plain = (
        made(tmp_path / f"{name}.mp4", *x265, "-vf", f"{vf}format=yuv420p10le", "-x265-params", parameters,
             graph="color=0x828282:s=96x160:r=10:d=1")
        for name, vf, parameters in (
            ("bright", f"scale=out_range=tv,{tags},", bt2020),
            ("plain", "", "log-level=none"),
        )
    )  # fmt: skip
    toned, untouched = shown(bright, tmp_path), shown(plain, tmp_path)
    assert abs(colour_at(untouched, 0.5, 0.5)[0] - 128) < 6
    assert colour_at(toned, 0.5, 0.5)[0] > 140
    assert_is(toned, "#{0:02x}{0:02x}{0:02x}".format(round((colour_at(toned, 0.5, 0.5)[0] - 16) * 255 / 219)))


def test_interlaced_frames_become_whole(tmp_path: Path) -> None:
    graph = "testsrc2=s=96x160:r=50:d=1,crop=96:160,scroll=h=0.1,tinterlace=interleave_top,setparams=field_mode=tff"
    film = made(tmp_path / "fields.ts", "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-q:v", "2", graph=graph)
    whole = shown(film, tmp_path, number=10).y.astype(np.int32)
    raw = tmp_path / "raw.ts"
    raw.write_bytes(film.read_bytes())
    combs = [comb(picture) for picture in (whole, without_yadif(raw, tmp_path))]
    assert combs[0] < 0.7 * combs[1]


def comb(luma: Any) -> float:
    """How much lines differ from those around them."""
    lines = luma.astype(np.int32)
    return float(np.abs(2 * lines[1:-1] - lines[:-2] - lines[2:]).mean())


def without_yadif(path: Path, folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers.footage, "WHOLE", "null")
        return shown(path, folder, number=10).y.copy()


def test_gigantic_metadata_is_passed_over(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text(";FFMETADATA1\n" + "".join(f"comment{n}={'x' * 60_000}\n" for n in range(50)))
    film = made(tmp_path / "film.mkv", "-i", str(words), "-map_metadata", "1", *X264)
    assert film.stat().st_size > 2_000_000
    assert_is(shown(film, tmp_path), ORANGE)


# --- pictures ---------------------------------------------------------------------------------------------------------

BGR = np.full((160, 96, 3), (0x20, 0x70, 0xE0), np.uint8)


def halves(height: int = 64, width: int = 128) -> Any:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2], picture[:, width // 2 :] = (0x20, 0x70, 0xE0), (0xC0, 0x40, 0x20)
    return picture


def turned_jpeg(path: Path, orientation: int) -> Path:
    """With the EXIF entry of a camera that was held another way."""
    data = cv2.imencode(".jpg", halves())[1].tobytes()
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", 0)
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
    return path


def written(path: Path, picture: Any) -> Path:
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def deep(values: Any) -> Any:
    return values.astype(np.uint16) * 257


def over_nothing(picture: Any, cover: int) -> Any:
    return np.dstack([picture, np.full(picture.shape[:2], cover, picture.dtype)])


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("a.jpg", BGR), ("a.png", BGR), ("a.webp", BGR), ("a.bmp", BGR), ("a.gif", BGR), ("a.avif", BGR),
        ("16 bits.png", deep(BGR)), ("covering.png", over_nothing(BGR, 255)), ("wide.png", BGR[:2].repeat(300, axis=1)),
        ("odd.png", BGR[:97, :61]), ("16 bits covering.png", over_nothing(deep(BGR), 65535)),
        ("60000 wide.png", np.full((4, 60_000, 3), (0x20, 0x70, 0xE0), np.uint8)),
    ],
)  # fmt: skip
def test_a_picture_of_any_form_has_its_colours(tmp_path: Path, name: str, picture: Any) -> None:
    path = written(tmp_path / name, picture).rename(tmp_path / "picture.bin")
    assert_is(shown(path, tmp_path, "image"), ORANGE)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_what_is_clear_in_a_picture_is_not_seen(tmp_path: Path, kind: Any) -> None:
    scale = 257 if kind is np.uint16 else 1
    clear = over_nothing((BGR.astype(kind) * scale).astype(kind), 0)
    dark = shown(written(tmp_path / "clear.png", clear), tmp_path, "image")
    assert colour_at(dark, 0.5, 0.5)[0] < 40


def test_a_grey_picture_is_grey(tmp_path: Path) -> None:
    grey = written(tmp_path / "grey.png", np.full((160, 96), 0x80, np.uint8))
    assert_is(shown(grey, tmp_path, "image"), "#808080")


def test_a_picture_for_print_has_its_colours(tmp_path: Path) -> None:
    """A JPEG of four inks, as Adobe's programs write it: all values upside down."""
    path = tmp_path / "print.jpg"
    path.write_bytes(inks_jpeg(cyan=0, magenta=128, yellow=219, black=31))
    # What is left of red, green and blue, times what black leaves of them.
    left = [round((255 - ink) * (255 - 31) / 255) for ink in (0, 128, 219)]
    assert_is(shown(path, tmp_path, "image"), "#{:02x}{:02x}{:02x}".format(*left))


def inks_jpeg(**inks: int) -> bytes:
    """16 by 32 pixels of one colour: four components, of each block the mean alone."""

    def segment(mark: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body

    means = [255 - ink - 128 for ink in inks.values()]
    bits = "".join(_mean_bits(mean) + "0" for mean in means) + "00000" * 4 * 7
    bits += "1" * (-len(bits) % 8)
    coded = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)).replace(b"\xff", b"\xff\x00")
    parts = range(1, 5)
    return (
        b"\xff\xd8"
        + segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")
        + segment(0xDB, b"\0" + b"\x08" * 64)
        + segment(0xC0, struct.pack(">BHHB", 8, 32, 16, 4) + b"".join(bytes([part, 0x11, 0]) for part in parts))
        # Means have twelve sizes, each by four bits; of the rest there is nothing but its end, by one bit.
        + segment(0xC4, b"\0" + bytes([0, 0, 0, 12, *[0] * 12]) + bytes(range(12)))
        + segment(0xC4, b"\x10" + bytes([1, *[0] * 15]) + b"\0")
        + segment(0xDA, bytes([4]) + b"".join(bytes([part, 0]) for part in parts) + b"\0\x3f\0")
        + coded
        + b"\xff\xd9"
    )


def _mean_bits(mean: int) -> str:
    size = abs(mean).bit_length()
    value = mean if mean >= 0 else mean + (1 << size) - 1
    return f"{size:04b}" + (f"{value:0{size}b}" if size else "")


@pytest.mark.parametrize(("orientation", "place"), [(1, (0.1, 0.5)), (3, (0.9, 0.5)), (6, (0.5, 0.1)), (8, (0.5, 0.9))])
def test_a_picture_of_a_turned_camera_stands_upright(tmp_path: Path, orientation: int, place: Any) -> None:
    path = turned_jpeg(tmp_path / "turned.jpg", orientation)
    frame = shown(path, tmp_path, "image", fit="contain" if orientation in {1, 3} else "cover")
    assert_is(frame, ORANGE, *place, within=12)


def png_header(width: int, height: int) -> bytes:
    import zlib

    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x02\x00\x00\x00"
    return head + struct.pack(">I", zlib.crc32(head[12:])) + b"\x00\x00\x00\x00IEND\xaeB`\x82"


NO_PICTURES: dict[str, Callable[[Path], bytes]] = {
    "empty": lambda folder: b"",
    "text": lambda folder: b"no picture",
    "svg": lambda folder: b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "60000 by 60000": lambda folder: png_header(60_000, 60_000),
    "tiff": lambda folder: written(folder / "a.tiff", BGR).read_bytes(),
    "jpeg 2000": lambda folder: written(folder / "a.jp2", BGR).read_bytes(),
    "a film": lambda folder: made(folder / "a.mp4", *X264).read_bytes(),
    "half a png": lambda folder: written(folder / "a.png", halves(400, 400)).read_bytes()[:60],
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_is_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(NO_PICTURES[name](tmp_path))
    with pytest.raises(RenderRefused) as refused:
        shown(path, tmp_path, "image")
    assert (refused.value.code, "clip c" in refused.value.message) == ("source_invalid", True)


def sound_only(folder: Path) -> bytes:
    return made(folder / "sound.mp4", graph="sine=f=440:d=1").read_bytes()


def many_streams(folder: Path) -> bytes:
    """More tracks than anybody needs."""
    tracks = [part for _ in range(40) for part in ("-map", "0:v")]
    return made(folder / "many.mkv", *tracks, *X264, graph="color=red:s=16x16:r=2:d=1").read_bytes()


NO_FILMS: dict[str, Callable[[Path], bytes]] = {
    "empty": lambda folder: b"",
    "a picture": lambda folder: written(folder / "a.png", BGR).read_bytes(),
    "sound alone": sound_only,
    "40 streams": many_streams,
    "half a film": lambda folder: made(folder / "a.mp4", *X264).read_bytes()[:700],
    "noise behind a head": lambda folder: b"\x00\x00\x00\x18ftypisom" + bytes(range(256)) * 40,
}


@pytest.mark.parametrize("name", NO_FILMS)
def test_what_is_no_film_is_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(NO_FILMS[name](tmp_path))
    with pytest.raises(RenderRefused) as refused:
        shown(path, tmp_path)
    assert (refused.value.code, "clip c" in refused.value.message) == ("source_invalid", True)


# --- sounds -----------------------------------------------------------------------------------------------------------


def heard(path: Path, folder: Path) -> Any:
    recording = samples.decode(path, folder / "samples", "c")
    return recording.part(0, recording.length)


@pytest.mark.parametrize("channel", range(6))
def test_every_speaker_but_the_deepest_is_heard_in_two(tmp_path: Path, channel: int) -> None:
    """Front left and right, middle, bass, back left and right; who mixes six into two leaves the bass out."""
    gains = "|".join(f"c{number}={'c0' if number == channel else '0*c0'}" for number in range(6))
    surround = made(tmp_path / "surround.wav", "-af", f"pan=5.1|{gains}", graph="sine=f=440:d=1")
    level = np.abs(heard(surround, tmp_path)).max(axis=0)
    assert level.shape == (2,)
    assert (level.max() > 0.02) == (channel != 3)


@pytest.mark.parametrize(
    ("name", "options"),
    [("8 bits.wav", ["-c:a", "pcm_u8", "-ar", "8000"]), ("192 kHz.wav", ["-c:a", "pcm_f32le", "-ar", "192000"]),
     ("opus.ogg", ["-c:a", "libopus"]), ("24 bits.flac", ["-sample_fmt", "s32"])],
)  # fmt: skip
def test_a_sound_of_any_form_has_its_length(tmp_path: Path, name: str, options: list[str]) -> None:
    sound = heard(made(tmp_path / name, *options, graph="sine=f=440:d=1"), tmp_path)
    assert abs(len(sound) / samples.RATE - 1) < 0.03
    assert np.abs(sound).max() > 0.05


def test_a_film_without_sound_is_no_sound(tmp_path: Path) -> None:
    with pytest.raises(RenderRefused, match="clip c"):
        heard(made(tmp_path / "mute.mp4", *X264), tmp_path)


def test_hours_of_silence_in_a_few_bytes_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "LONGEST", 2 * samples.RATE)
    bomb = made(tmp_path / "bomb.flac", graph="anullsrc=r=48000:cl=stereo:d=60")
    assert bomb.stat().st_size < 60_000
    with pytest.raises(RenderRefused, match="clip c"):
        heard(bomb, tmp_path)
    assert (tmp_path / "samples").stat().st_size < 4 * 8 * samples.RATE


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_film_that_takes_for_ever_is_ended_and_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = made(tmp_path / "film.mp4", *X264)
    endless = tmp_path / "endless-ffmpeg"
    endless.write_text("#!/bin/sh\nwhile :; do :; done\n")
    endless.chmod(0o755)
    monkeypatch.setattr(programs, "ffmpeg_path", lambda: str(endless))
    monkeypatch.setattr(layers, "DECODING", replace(limits.DECODING, cpu_seconds=1))
    with pytest.raises(RenderRefused, match="takes too long"):
        shown(film, tmp_path)


def ended(code: str, **changes: int) -> "subprocess.CompletedProcess[str]":
    """A program under limits."""
    strict = replace(limits.DECODING, **changes)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, preexec_fn=strict.impose, capture_output=True, text=True, check=False)


def test_what_takes_too_much_is_ended_by_the_kernel(tmp_path: Path) -> None:
    greedy = ended("b = bytearray(600 << 20)", memory_bytes=300 << 20)
    assert "MemoryError" in greedy.stderr
    talkative = ended(
        f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL); "
        f"open({str(tmp_path / 'long')!r}, 'wb').write(bytes(100_000))",
        file_bytes=1000,
    )
    assert talkative.returncode == -signal.SIGXFSZ
    assert (tmp_path / "long").stat().st_size <= 1000
    assert ended("print('fine')").stdout == "fine\n"


def test_every_decoder_has_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = made(tmp_path / "film.mp4", *X264)
    telling = tmp_path / "telling-ffmpeg"
    telling.write_text(f"#!/bin/sh\n(ulimit -t; ulimit -d; ulimit -f; ulimit -c) > {tmp_path}/told\n")
    telling.chmod(0o755)
    monkeypatch.setattr(programs, "ffmpeg_path", lambda: str(telling))
    with pytest.raises(RenderRefused):
        shown(film, tmp_path)
    seconds, memory, file, core = (tmp_path / "told").read_text().split()
    assert int(seconds) == limits.DECODING.cpu_seconds
    assert int(memory) == limits.DECODING.memory_bytes >> 10
    assert file != "unlimited"
    assert core == "0"
