"""Lower thirds, headlines, counters and the other overlays: where they stand, how they move, that they can be read."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from fenta.contracts.timeline import (
    Animation,
    Aspect,
    Canvas,
    ColourSource,
    Keyframe,
    OverlayClip,
    OverlayStyle,
    OverlayTrack,
    TextSource,
    Timeline,
    VideoClip,
    VideoTrack,
)
from fenta.render import programs
from fenta.render.captions import marks, overlays
from fenta.render.captions.burn import burn, install_fonts
from fenta.render.faults import covered_texts, faults
from fenta.render.places import ZONES, covered
from fenta.render.timeline import FramePlan, frame_plan

TALL = Canvas(aspect="9:16", width=270, height=480)
PLATES = [style for style in get_args(OverlayStyle) if style not in {"title", "end_card"}]


def overlay(**given: Any) -> OverlayClip:
    usual = {"id": "o", "start_ms": 0, "duration_ms": 2000, "text": "Why the night is dark", "detail": "Olbers, 1823"}
    return OverlayClip.model_validate(usual | given)


def film(*clips: OverlayClip, canvas: Canvas = TALL, pictures: tuple[VideoClip, ...] = ()) -> Timeline:
    ground = VideoClip(id="g", start_ms=0, duration_ms=2000, source=ColourSource(colour="#3C6E71"))
    tracks: list[Any] = [VideoTrack(id="v", clips=[ground]), OverlayTrack(id="o", clips=list(clips))]
    tracks += [VideoTrack(id="w", clips=list(pictures))] if pictures else []
    return Timeline(duration_ms=2000, canvases=[canvas], tracks=tracks)


def drawn(plan: FramePlan, folder: Path, numbers: Sequence[int], origin: int = 0) -> list[np.ndarray]:
    """These frames over grey, as a part of the film shows them that begins with `origin`."""
    environment = install_fonts(folder, plan.faces.values())
    (folder / "t.ass").write_text(burn(plan).document(origin), encoding="utf-8")
    source = f"color=0x6e6e6e:s={plan.canvas.width}x{plan.canvas.height}:r=30:d={(plan.frames + 30 - origin) / 30}"
    chosen = "select='" + "+".join(f"eq(n,{number - origin})" for number in numbers) + "'"
    arguments = ["-v", "error", "-f", "lavfi", "-i", source, "-vf", f"format=gbrp,ass=t.ass:fontsdir=fonts,{chosen}"]
    output = ["-fps_mode", "passthrough", "-pix_fmt", "bgr24", "-f", "rawvideo", "-"]
    child = programs.start([*arguments, *output], folder=folder, stdout=subprocess.PIPE, environment=environment)
    data, errors = child.communicate()
    assert child.returncode == 0, errors
    return list(np.frombuffer(data, np.uint8).reshape(len(numbers), plan.canvas.height, plan.canvas.width, 3))


def seen(folder: Path, clip: OverlayClip, *numbers: int) -> list[np.ndarray]:
    return drawn(frame_plan(film(clip), TALL), folder, numbers)


def text_box(frame: np.ndarray, without: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what differs from a frame without text."""
    marked = (np.abs(frame.astype(int) - without) > 20).any(axis=2)
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def test_each_style_is_drawn_inside_its_place_and_is_gone_with_its_time(tmp_path: Path) -> None:
    for style in PLATES:
        clip = overlay(style=style, duration_ms=1500)
        during, after = seen(tmp_path, clip, 30, 50)
        left, top, right, bottom = text_box(during, after)
        x, y, width, height = marks.box_of(clip, TALL)
        assert right > left, style
        assert left >= (x - 0.01) * TALL.width, style
        assert right <= (x + width + 0.01) * TALL.width, style
        assert top >= (y - 0.09) * TALL.height, style
        assert bottom <= (y + height + 0.09) * TALL.height, style


@pytest.mark.parametrize("aspect", get_args(Aspect))
def test_what_nobody_has_placed_lies_where_no_platform_covers_it(aspect: Aspect) -> None:
    canvas = Canvas.of(aspect, "540p")
    for style in (*PLATES, "title"):
        assert not list(covered(aspect, marks.box_of(overlay(style=style), canvas))), style
    assert covered_texts(film(overlay(style="lower_third"), canvas=canvas), [canvas]) == []


def test_what_somebody_puts_under_a_platform_is_rendered_with_a_word_of_caution() -> None:
    low = overlay(box=(0.1, 0.85, 0.8, 0.1))
    source = TextSource(text="Follow", size=0.06)
    words = VideoClip(id="t", start_ms=0, duration_ms=2000, source=source, x=0.93, y=0.6)
    timeline = film(low, pictures=(words,))
    assert faults(timeline, [TALL], lambda texts: "") == []
    first, second = covered_texts(timeline, [TALL])
    assert (first.code, first.pointer) == ("covered", "/tracks/1/clips/0/box")
    assert all(f"{platform} (text)" in first.message for platform in ("TikTok", "Reels", "Shorts"))
    assert second.pointer == "/tracks/2/clips/0"
    assert "buttons" in second.message
    assert {zone.platform for zone in ZONES["9:16"]} == {"TikTok", "Reels", "Shorts"}
    wide = Canvas.of("16:9", "540p")
    assert covered_texts(timeline, [wide]) == []


def test_keyframes_move_turn_and_fade_it(tmp_path: Path) -> None:
    points = [Keyframe(at_ms=0, value=0.3), Keyframe(at_ms=1000, value=0.7)]
    clip = overlay(style="kicker", text="Fenta", keyframes={"y": points, "opacity": [Keyframe(at_ms=0, value=1)]})
    high, low, none = seen(tmp_path, clip, 12, 31, 60)
    assert text_box(high, none)[1] + 60 < text_box(low, none)[1]
    turned, straight = (seen(tmp_path, overlay(style="kicker", rotation_degrees=angle), 30)[0] for angle in (45, 0))
    (_, top, _, bottom), (_, first, _, last) = text_box(turned, none), text_box(straight, none)
    assert bottom - top > 3 * (last - first)
    unordered = overlay(keyframes={"x": [Keyframe(at_ms=9, value=0), Keyframe(at_ms=9, value=1)]})
    (fault,) = faults(film(unordered), [TALL], lambda texts: "")
    assert (fault.code, fault.pointer) == ("keyframes_unordered", "/tracks/1/clips/0/keyframes/x")


def test_letters_come_one_by_one_in_reading_order(tmp_path: Path) -> None:
    typed = Animation(kind="typewriter", duration_ms=1000)
    for text, side in (("Night sky is dark", 2), ("سماء الليل مظلمة", 0)):
        clip = overlay(style="heading", text=text, detail="", enter=typed)
        *parts, none = seen(tmp_path, clip, 10, 20, 45, 60)
        boxes = [text_box(part, none) for part in parts]
        far = [box[side] for box in boxes]
        assert far == sorted(far, reverse=side == 0), text
        # What stands already does not move.
        assert len({box[2 - side] for box in boxes}) == 1, text


def test_a_wipe_begins_where_the_script_does(tmp_path: Path) -> None:
    for text, side in (("Night sky is dark", 0), ("سماء الليل مظلمة", 2)):
        clip = overlay(style="headline", text=text, detail="", enter=None)
        early, late, none = seen(tmp_path, clip, 1, 40, 60)
        first, whole = text_box(early, none), text_box(late, none)
        assert first[2] - first[0] < 0.8 * (whole[2] - whole[0]), text
        assert first[side] == pytest.approx(whole[side], abs=1), text


def test_a_number_counts_to_its_end_and_stays(tmp_path: Path) -> None:
    clip = overlay(style="counter", text="{n} km", count=(0, 1200))
    _, events = overlays.events([clip], frame_plan(film(clip), TALL), "#FFD23F")
    shown = [event for event in events if event.style == "oNumber"]
    assert [event.text for event in shown if "1,200" in event.text]
    assert "1,200" not in shown[0].text
    assert next(event.first for event in shown if "1,200" in event.text) <= 60 * 0.75
    assert max(event.last for event in shown) == 60
    ems = {
        style.em
        for style in overlays.events([clip], frame_plan(film(clip), TALL), "#FFD23F")[0]
        if style.name == "oNumber"
    }
    assert len(ems) == 1


def test_a_clip_may_be_called_as_somebody_likes(tmp_path: Path) -> None:
    plain, strange = (overlay(style="kicker", id=name) for name in ("o", "a,b\nDialogue: {x}"))
    (first, _), (second, _) = (seen(tmp_path, clip, 30, 60) for clip in (plain, strange))
    assert np.array_equal(first, second)


def test_a_bar_grows_with_its_time(tmp_path: Path) -> None:
    clip = overlay(style="progress", text="", accent="#FF0000", box=(0.1, 0.3, 0.8, 0.05))
    frames = seen(tmp_path, clip, 15, 30, 45)
    widths = [int(((frame[156, :, 2] > 180) & (frame[156, :, 1] < 90)).sum()) for frame in frames]
    wanted = [0.8 * TALL.width * share for share in (0.26, 0.51, 0.76)]
    assert widths == pytest.approx(wanted, abs=6)


def test_a_part_of_a_film_shows_an_overlay_as_the_whole_does(tmp_path: Path) -> None:
    """Segments are drawn apart; an overlay that moves across their border must not jump there."""
    clip = overlay(style="lower_third", start_ms=500, enter=Animation(kind="slide_right", duration_ms=900))
    plan = frame_plan(film(clip), TALL)
    (whole,) = drawn(plan, tmp_path, (30,))
    (part,) = drawn(plan, tmp_path, (30,), origin=30)
    assert np.array_equal(whole, part)
