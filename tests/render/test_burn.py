"""Captions as libass really draws them, on a grey picture."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fenta.contracts.timeline import (
    Canvas,
    CaptionClip,
    CaptionTrack,
    CaptionWord,
    ColourSource,
    OverlayClip,
    OverlayTrack,
    Timeline,
    VideoClip,
    VideoTrack,
)
from fenta.render import programs
from fenta.render.captions.burn import burn, install_fonts
from fenta.render.timeline import frame_plan

CANVAS = Canvas(aspect="9:16", width=540, height=960)
GREY = 110
ACCENT = "#00FF00"


def film(
    words: list[str], *, text: str | None = None, overlays: tuple[OverlayClip, ...] = (), **track: Any
) -> Timeline:
    """A second for every word."""
    timed = [CaptionWord(text=word, start_ms=1000 * at, end_ms=1000 * at + 1000) for at, word in enumerate(words)]
    duration = 1000 * max(1, len(words))
    cue = CaptionClip(id="c", scene="s", start_ms=0, duration_ms=duration, text=text or " ".join(words), words=timed)
    captions = CaptionTrack(id="s1", language="en", accent=ACCENT, clips=[cue] if words else [], **track)
    picture = VideoClip(id="v", start_ms=0, duration_ms=duration, source=ColourSource(colour="#777777"))
    tracks = [VideoTrack(id="v1", clips=[picture]), OverlayTrack(id="o1", clips=list(overlays)), captions]
    return Timeline(duration_ms=duration, canvases=[CANVAS], tracks=tracks)  # type: ignore[arg-type]


def drawn(timeline: Timeline, folder: Path, every_ms: int = 1000) -> np.ndarray:
    """RGB frames over grey, one for each word, taken from its middle."""
    environment = install_fonts(folder)
    plan = frame_plan(timeline, CANVAS)
    (folder / "t.ass").write_text(burn(plan).document(), encoding="utf-8")
    source = f"color=0x{GREY:02x}{GREY:02x}{GREY:02x}:s={CANVAS.width}x{CANVAS.height}:r=30:d={plan.frames / 30}"
    chosen = f"select='eq(mod(n,{every_ms * 30 // 1000}),15)'"
    arguments = ["-v", "warning", "-f", "lavfi", "-i", source, "-vf", f"format=gbrp,ass=t.ass:fontsdir=fonts,{chosen}"]
    output = ["-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    child = programs.start([*arguments, *output], folder=folder, stdout=subprocess.PIPE, environment=environment)
    data, errors = child.communicate()
    assert child.returncode == 0, errors
    assert b"glyph" not in errors, errors
    return np.frombuffer(data, np.uint8).reshape(-1, CANVAS.height, CANVAS.width, 3)


def lit_columns(frame: np.ndarray) -> tuple[int, int]:
    """Where the highlighted word is, left and right."""
    red, green, blue = (frame[:, :, channel].astype(int) for channel in range(3))
    columns = np.flatnonzero(((green > 180) & (red < 90) & (blue < 90)).any(axis=0))
    assert len(columns) > 0, "no word is lit"
    return int(columns[0]), int(columns[-1])


def text_box(frame: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of everything that is not grey."""
    marked = (np.abs(frame.astype(int) - GREY) > 20).any(axis=2)
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def test_every_word_lights_up_in_turn_from_left_to_right(tmp_path: Path) -> None:
    frames = drawn(film(["We", "see", "stars"]), tmp_path)
    lefts = [lit_columns(frame)[0] for frame in frames]
    assert lefts == sorted(lefts)
    assert len(set(lefts)) == 3


@pytest.mark.parametrize("direction", ["auto", "rtl"])
def test_arabic_runs_from_right_to_left(tmp_path: Path, direction: str) -> None:
    frames = drawn(film(["للكون", "عمر", "محدود"], direction=direction), tmp_path)
    spans = [lit_columns(frame) for frame in frames]
    assert spans[0][0] > spans[1][1] > spans[1][0] > spans[2][1]


def test_a_line_of_arabic_that_begins_with_latin_still_begins_at_the_right(tmp_path: Path) -> None:
    frames = drawn(film(["NASA", "تقول", "نعم"], direction="rtl"), tmp_path)
    spans = [lit_columns(frame) for frame in frames]
    assert spans[0][0] > spans[1][1] > spans[1][0] > spans[2][1]


def test_latin_inside_arabic_keeps_the_arabic_order(tmp_path: Path) -> None:
    frames = drawn(film(["عمر", "13.8", "مليار"]), tmp_path)
    lefts = [lit_columns(frame)[0] for frame in frames]
    assert lefts == sorted(lefts, reverse=True)


def test_chinese_stays_inside_the_margins(tmp_path: Path) -> None:
    words = ["宇宙的年龄是", "一百三十八亿年", "，远处的光", "还没有到达"]  # noqa: RUF001
    for frame in drawn(film(words, text="".join(words)), tmp_path):
        left, _, right, _ = text_box(frame)
        assert left >= 0.05 * CANVAS.width
        assert right <= 0.95 * CANVAS.width


def test_typed_markup_is_shown_and_moves_nothing(tmp_path: Path) -> None:
    tricky = drawn(film([r"{\an8\pos(0,0)}up"]), tmp_path)[0]
    left, top, right, _ = text_box(tricky)
    assert top > CANVAS.height / 2
    assert right - left > CANVAS.width / 3


def test_emoji_leave_no_boxes(tmp_path: Path) -> None:
    with_emoji = drawn(film(["Go", "up"], text="Go 🚀 up"), tmp_path)
    without = drawn(film(["Go", "up"]), tmp_path)
    assert np.array_equal(with_emoji, without)


def test_captions_keep_out_of_the_way_of_title_and_end_card(tmp_path: Path) -> None:
    long = "Why is the night sky dark although there are more stars than grains of sand on all beaches?"
    title = OverlayClip(id="t", start_ms=0, duration_ms=3000, text=long, box=(0.08, 0.11, 0.84, 0.26))
    card = title.model_copy(
        update={"id": "e", "detail": "Follow for more", "style": "end_card", "box": (0.08, 0.24, 0.84, 0.36)}
    )
    top_of_captions = text_box(drawn(film(["first", "second", "third"]), tmp_path)[1])[1]
    for overlay in (title, card):
        box = text_box(drawn(_only(overlay), tmp_path)[1])
        assert box[3] < top_of_captions
        assert box[0] >= 0.05 * CANVAS.width
        assert box[2] <= 0.95 * CANVAS.width


def _only(overlay: OverlayClip) -> Timeline:
    timeline = film(["a", "b", "c"], overlays=(overlay,))
    return timeline.model_copy(update={"tracks": timeline.tracks[:2]})


def test_a_caption_can_be_read_on_white_and_on_black(tmp_path: Path) -> None:
    frame = drawn(film(["Readable"], style="plain"), tmp_path)[0]
    assert (frame > 225).all(axis=2).mean() > 0.005
    assert (frame < 45).all(axis=2).mean() > 0.005
