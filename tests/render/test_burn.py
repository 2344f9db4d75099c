"""Captions as libass really draws them, on a grey picture."""

import subprocess
from itertools import combinations, pairwise
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
from fenta.render import cutting, programs
from fenta.render.captions.burn import burn, install_fonts
from fenta.render.captions.looks import LOOKS
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
    captions = CaptionTrack(
        **{"id": "s1", "language": "en", "accent": ACCENT, "clips": [cue] if words else [], **track}
    )
    picture = VideoClip(id="v", start_ms=0, duration_ms=duration, source=ColourSource(colour="#777777"))
    tracks = [VideoTrack(id="v1", clips=[picture]), OverlayTrack(id="o1", clips=list(overlays)), captions]
    return Timeline(duration_ms=duration, canvases=[CANVAS], tracks=tracks)  # type: ignore[arg-type]


def test_every_line_is_looked_for_in_one_segment() -> None:
    """Also one that began in the segment before."""
    text = burn(frame_plan(film(["seven", "words", "are", "two", "or", "three", "lines"], style="fill"), CANVAS))
    spans, probes = cutting.segments(text.plan), text.probes(0, text.plan.frames)
    lines = [event for event in text.events if event.probed]
    assert any(event.first < first < event.last for event in lines for first, _ in spans)
    assert len(probes) == len({(event.first, event.last) for event in lines})
    assert [probe for span in spans for probe in text.probes(*span)] == probes


def drawn(timeline: Timeline, folder: Path, frames: tuple[int, ...] = ()) -> np.ndarray:
    """RGB frames over grey: these, or one for each word, taken from its middle."""
    environment = install_fonts(folder)
    plan = frame_plan(timeline, CANVAS)
    (folder / "t.ass").write_text(burn(plan).document(), encoding="utf-8")
    source = f"color=0x{GREY:02x}{GREY:02x}{GREY:02x}:s={CANVAS.width}x{CANVAS.height}:r=30:d={plan.frames / 30}"
    wanted = "+".join(f"eq(n,{frame})" for frame in frames) or "eq(mod(n,30),15)"
    chosen = f"select='{wanted}'"
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


# --- scripts ----------------------------------------------------------------------------------------------------------

SCRIPTS = {
    "en": "night sky is dark", "ru": "Ночное небо очень тёмное", "el": "Γιατί είναι σκοτεινός ουρανός",
    "ar": "السماء مظلمة ليلا دائما", "he": "שמי הלילה חשוכים מאוד", "fa": "آسمان شب تاریک است",
    "ur": "رات کا آسمان ٹھنڈا", "hi": "रात का आकाश अंधेरा", "bn": "রাতের আকাশ অন্ধকার কেন",
    "th": "ท้องฟ้า มืด เพราะ แสง", "zh": "夜空 为什么 黑暗 呢", "ja": "夜空が なぜ 暗いか 知る",
    "ko": "밤하늘이 어두운 까닭은 무엇",
}  # fmt: skip
RIGHT_TO_LEFT = ("ar", "he", "fa", "ur")


@pytest.mark.parametrize("language", SCRIPTS)
def test_every_script_is_drawn_in_its_reading_order_within_the_margins(tmp_path: Path, language: str) -> None:
    words = SCRIPTS[language].split()
    unspaced = language in {"th", "zh", "ja"}
    text = "".join(words) if unspaced else " ".join(words)
    frames = drawn(film(words, text=text, language=language), tmp_path)
    rows: dict[int, list[int]] = {}
    for frame in frames:
        left, _, right, _ = text_box(frame)
        assert left >= 0.05 * CANVAS.width
        assert right <= 0.95 * CANVAS.width
        row = lit_row(frame) // 40
        rows.setdefault(row, []).append(lit_columns(frame)[0])
    for lefts in rows.values():
        assert lefts == sorted(lefts, reverse=language in RIGHT_TO_LEFT)
        assert len(set(lefts)) == len(lefts)


def lit_row(frame: np.ndarray) -> int:
    """The middle of the highlighted word."""
    green = (frame[:, :, 1] > 180) & (frame[:, :, 0] < 90) & (frame[:, :, 2] < 90)
    rows = np.flatnonzero(green.any(axis=1))
    return int(rows[0] + rows[-1]) // 2


def test_the_same_character_has_the_shape_of_its_language(tmp_path: Path) -> None:
    shapes = {
        language: drawn(film(["直", "骨"], text="直骨", language=language), tmp_path)[0] for language in ("zh", "ja")
    }
    assert not np.array_equal(shapes["zh"], shapes["ja"])


# --- looks ------------------------------------------------------------------------------------------------------------


def inked(frame: np.ndarray) -> float:
    return float((np.abs(frame.astype(int) - GREY) > 20).any(axis=2).mean())


def green(frame: np.ndarray) -> int:
    return int(((frame[:, :, 1] > 180) & (frame[:, :, 0] < 90) & (frame[:, :, 2] < 90)).sum())


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The middle of each of four words, in every look."""
    words = ["night", "sky", "is", "dark"]
    return {look: drawn(film(words, style=look), tmp_path_factory.mktemp(look)) for look in LOOKS}


def test_every_look_shows_every_word(looks: dict[str, np.ndarray]) -> None:
    for look, frames in looks.items():
        assert len(frames) == 4
        assert all(inked(frame) > 0.004 for frame in frames), look


def test_any_two_looks_differ(looks: dict[str, np.ndarray]) -> None:
    """By more than 2 % of the pixels of the band where the text stands."""
    top, bottom = int(0.65 * CANVAS.height), int(0.8 * CANVAS.height)
    for one, other in combinations(looks, 2):
        pairs = zip(looks[one][:, top:bottom], looks[other][:, top:bottom], strict=True)
        shares = [(np.abs(a.astype(int) - b.astype(int)) > 20).any(axis=2).mean() for a, b in pairs]
        assert max(shares) > 0.02, (one, other)


@pytest.mark.parametrize("look", ["typewriter", "bounce"])
def test_words_come_one_by_one_and_none_goes(looks: dict[str, np.ndarray], look: str) -> None:
    amounts = [inked(frame) for frame in looks[look]]
    assert amounts == sorted(amounts)
    assert amounts[3] > 2 * amounts[0]


def test_a_line_fills_with_colour_as_it_is_spoken(looks: dict[str, np.ndarray]) -> None:
    amounts = [green(frame) for frame in looks["fill"]]
    assert amounts == sorted(amounts)
    assert len(set(amounts)) == 4


def test_one_word_stands_alone_in_the_middle(looks: dict[str, np.ndarray]) -> None:
    for frame in looks["word"]:
        left, _, right, _ = text_box(frame)
        assert abs(left + right - CANVAS.width) < 20


def test_a_field_lies_under_its_word_and_under_no_other(looks: dict[str, np.ndarray]) -> None:
    lefts = [lit_columns(frame) for frame in looks["box"]]
    rows = [lit_row(frame) for frame in looks["box"]]
    for (before, after), (above, below) in zip(pairwise(lefts), pairwise(rows), strict=True):
        assert after[0] >= before[1] - 25 or below > above + 20


@pytest.mark.parametrize("look", ["karaoke", "fill", "box", "typewriter", "classic"])
def test_looks_keep_the_order_of_arabic(tmp_path: Path, look: str) -> None:
    frames = drawn(film(["للكون", "عمر", "محدود"], style=look, accent=ACCENT), tmp_path)
    if look == "typewriter":
        rights = [text_box(frame)[2] for frame in frames]
        assert max(rights) - min(rights) < 12
        assert [text_box(frame)[0] for frame in frames] == sorted((text_box(f)[0] for f in frames), reverse=True)
    elif look == "classic":
        assert len({text_box(frame) for frame in frames}) == 1
    else:
        lefts = [lit_columns(frame)[0] for frame in frames]
        assert lefts == sorted(lefts, reverse=True)


def test_captions_have_the_colours_and_the_place_they_are_given(tmp_path: Path) -> None:
    red = drawn(film(["Red"], style="plain", colour="#FF0000"), tmp_path)[0]
    assert ((red[:, :, 0] > 200) & (red[:, :, 1] < 60)).mean() > 0.002
    high = drawn(film(["High"], style="plain", centre_y=0.2), tmp_path)[0]
    _, top, _, bottom = text_box(high)
    assert abs((top + bottom) / 2 - 0.2 * CANVAS.height) < 25
