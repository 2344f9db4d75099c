"""What a clip is made of is drawn with its fit, its effects and its clear parts, alone and over others."""

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from fenta.contracts.timeline import (
    Animation,
    AssetSource,
    Canvas,
    ColourSource,
    GradientSource,
    LogoSource,
    ShapeSource,
    TextSource,
    Timeline,
    VideoClip,
    VideoTrack,
)
from fenta.render.compose import composer as composer_module
from fenta.render.compose.colour import yuv_of
from fenta.render.compose.composer import GROUND, Composer
from fenta.render.compose.frame import Frame
from fenta.render.compose.layers import open_layer
from fenta.render.timeline import FramePlan, frame_plan
from tests.render.media import Shelf

TINY = Canvas(aspect="9:16", width=108, height=192)
WHITE = ColourSource(colour="#FFFFFF")


def source(shelf: Shelf, name: str, media: Any = "image") -> AssetSource:
    kept = shelf.keep(name)
    return AssetSource(asset_id=kept.asset_id, sha256=kept.sha256, media=media)


def image(shelf: Shelf, name: str, picture: np.ndarray) -> AssetSource:
    cv2.imwrite(str(shelf.folder / name), picture)
    return source(shelf, name)


def film(shelf: Shelf, width: int = 108, height: int = 192) -> AssetSource:
    shelf.film(shelf.folder / "film.mp4", seconds=1, width=width, height=height)
    return source(shelf, "film.mp4", "video")


def clip(name: str, given: Any, start: int = 0, **more: Any) -> VideoClip:
    return VideoClip(id=name, start_ms=start, duration_ms=1000, source=given, **more)


def plan(*tracks: list[VideoClip]) -> FramePlan:
    length = max(one.start_ms + one.duration_ms for one in tracks[0])
    layers: list[Any] = [VideoTrack(id=f"v{number}", clips=clips) for number, clips in enumerate(tracks)]
    return frame_plan(Timeline(duration_ms=length, canvases=[TINY], tracks=layers), TINY)


def luma(shelf: Shelf, *tracks: list[VideoClip], numbers: tuple[int, int] = (0, 1)) -> list[np.ndarray]:
    composer = Composer(plan(*tracks), shelf.files, shelf.folder)
    return [frame.y.copy() for frame in composer.frames(*numbers)]


def noise(seed: int, width: int = 216, height: int = 384) -> np.ndarray:
    small = np.random.default_rng(seed).random((12, 7, 3))
    return np.clip(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) * 255, 0, 255).astype(np.uint8)


def test_a_wide_film_has_its_own_blur_around_it(shelf: Shelf) -> None:
    wide = film(shelf, 320, 180)
    (blurred,), (bars,) = (luma(shelf, [clip("a", wide, fit=fit)]) for fit in ("blur", "contain"))
    assert bars[:40].max() <= 17
    assert blurred[:40].mean() > 30
    assert np.abs(blurred[75:115].astype(int) - bars[75:115]).mean() < 2


def test_a_zoom_takes_films_closer_too(shelf: Shelf) -> None:
    shot = plan([clip("a", film(shelf))]).shots[0]
    near, plain = Frame(108, 192), Frame(108, 192)
    for frame, closer in ((near, 2.0), (plain, 1.0)):
        layer = open_layer(plan([clip("a", film(shelf))]), shot, shelf.files, 8, shelf.folder)
        layer.draw(8, frame, closer=closer)
        layer.close()
    wanted = cv2.resize(plain.y[48:144, 27:81], (108, 192), interpolation=cv2.INTER_LINEAR)
    assert np.abs(near.y.astype(int) - wanted).mean() < 2


def test_a_picture_over_others_has_its_own_shape(shelf: Shelf) -> None:
    """With `contain`, and no bars around it."""
    wide = image(shelf, "wide.png", np.full((90, 180, 3), 40, np.uint8))
    (seen,) = luma(shelf, [clip("a", WHITE)], [clip("b", wide, fit="contain")])
    dark = np.argwhere(seen < 100)
    assert (dark[:, 0].min(), dark[:, 0].max()) == pytest.approx((192 / 2 - 27, 192 / 2 + 26), abs=1)
    assert (dark[:, 1].min(), dark[:, 1].max()) == (0, 107)


def test_what_is_clear_stays_clear_and_leaves_no_fringe(shelf: Shelf) -> None:
    """The file is black where it is clear; a white disc on white shows nothing of that."""
    disc = np.zeros((200, 200, 4), np.uint8)
    cv2.circle(disc, (100, 100), 70, (255, 255, 255, 255), -1, cv2.LINE_AA)
    disc[disc[:, :, 3] > 0, :3] = 255
    logo = image(shelf, "logo.png", disc)
    (on_white,) = luma(shelf, [clip("a", WHITE)], [clip("b", logo, fit="contain", scale=0.7)])
    (on_blue,) = luma(shelf, [clip("a", ColourSource(colour="#203060"))], [clip("b", logo, fit="contain", scale=0.7)])
    assert on_white.min() > 228
    area = (on_blue.astype(float) - yuv_of("#203060")[0]) / (235 - yuv_of("#203060")[0])
    assert area.sum() == pytest.approx(np.pi * (70 / 200 * 108 * 0.7) ** 2, rel=0.03)


def test_a_clear_picture_of_the_first_track_lies_on_the_ground(shelf: Shelf) -> None:
    clear = image(shelf, "clear.png", np.zeros((384, 216, 4), np.uint8))
    (seen,) = luma(shelf, [clip("a", clear)])
    assert {*seen.ravel()} == {GROUND[0]}


def test_a_smaller_clip_of_the_first_track_leaves_the_ground_around_it(shelf: Shelf) -> None:
    (seen,) = luma(shelf, [clip("a", WHITE, scale=0.5)])
    assert seen[96, 54] == 235
    assert seen[5, 5] == GROUND[0]


def test_effects_of_a_picture_look_as_if_they_were_on_every_frame(shelf: Shelf) -> None:
    picture = image(shelf, "noise.png", noise(3))
    given = [{"kind": "adjust", "contrast": 0.3, "saturation": 0.5}, {"kind": "vignette", "amount": 0.5}]
    moving = {"motion": {"kind": "push_in"}}
    (baked,) = luma(shelf, [clip("a", picture, effects=given, **moving)], numbers=(12, 13))
    (plain,) = luma(shelf, [clip("a", picture, **moving)], numbers=(12, 13))
    slope = 1.6
    lights = np.clip(((plain.astype(float) - 16) / 219 - 0.5) * slope + 0.5, 0, 1) * 219 + 16
    assert np.abs(baked[80:112, 40:68] - lights[80:112, 40:68]).mean() < 1.5
    assert baked[:8, :8].mean() < 0.8 * lights[:8, :8].mean()


def test_grain_lives_while_the_camera_stands(shelf: Shelf) -> None:
    picture = image(shelf, "noise.png", noise(3))
    still = luma(shelf, [clip("a", picture)], numbers=(0, 3))
    grainy = luma(shelf, [clip("a", picture, effects=[{"kind": "grain"}])], numbers=(0, 3))
    assert np.array_equal(still[0], still[2])
    assert (grainy[0] != grainy[2]).mean() > 0.4


def test_a_key_of_a_picture_moves_with_its_camera(shelf: Shelf) -> None:
    green = np.full((384, 216, 3), (64, 177, 0), np.uint8)
    green[150:230, 80:140] = 20
    screen = image(shelf, "screen.png", green)
    key = {"effects": [{"kind": "chroma_key"}], "motion": {"kind": "push_in", "strength": 2, "focus": (0.5, 0.5)}}
    frames = luma(shelf, [clip("a", WHITE)], [clip("b", screen, **key)], numbers=(0, 30))
    areas = [float((frame < 120).sum()) for frame in (frames[0], frames[-1])]
    assert areas[1] > 1.5 * areas[0]
    assert frames[0][5, 5] == frames[-1][5, 5] == 235


def keyed_film(shelf: Shelf) -> AssetSource:
    """A red bar that wanders over a green screen."""
    with av.open(str(shelf.folder / "screen.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 108, 192, "yuv420p"
        for number in range(30):
            picture = np.full((192, 108, 3), (0, 177, 64), np.uint8)
            picture[:, number * 3 : number * 3 + 12] = (208, 48, 32)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return source(shelf, "screen.mp4", "video")


def test_a_key_of_a_film_follows_what_moves_in_it(shelf: Shelf) -> None:
    """And owes nothing to the frames before."""
    tracks = [clip("a", WHITE)], [clip("b", keyed_film(shelf), effects=[{"kind": "chroma_key"}])]
    whole = luma(shelf, *tracks, numbers=(0, 24))
    places = [float(np.flatnonzero(whole[number][96] < 120).mean()) for number in (4, 12, 20)]
    assert np.diff(places) == pytest.approx([24, 24], abs=2)
    (alone,) = luma(shelf, *tracks, numbers=(20, 21))
    assert np.array_equal(alone, whole[20])


def test_tracks_lie_over_one_another_in_their_order(shelf: Shelf) -> None:
    tracks = [[clip(name, ColourSource(colour=colour), scale=scale)] for name, colour, scale in
              (("a", "#FFFFFF", 1), ("b", "#808080", 0.8), ("c", "#000000", 0.4))]  # fmt: skip
    (seen,) = luma(shelf, *tracks)
    assert [int(seen[96, 54]), int(seen[96, 16]), int(seen[96, 4])] == [16, yuv_of("#808080")[0], 235]


def test_a_hidden_move_is_not_missed(shelf: Shelf) -> None:
    """What lies over may cover all that moves; a film is not refused as frozen for that."""
    below = [clip("a", WHITE, motion={"kind": "push_in"})]
    assert plan(below).expected_to_move(5)
    assert not plan(below, [clip("b", WHITE)]).expected_to_move(5)
    assert not plan([clip("a", WHITE, scale=0.5, motion={"kind": "push_in"})]).expected_to_move(5)


def test_no_layer_is_kept_when_nobody_sees_it(shelf: Shelf, tmp_path: Path) -> None:
    made = plan([clip("a", WHITE)], [clip("b", film(shelf)).model_copy(update={"duration_ms": 300})])
    composer = Composer(made, shelf.files, tmp_path)
    kept = [len(composer._layers) for _ in composer.frames(0, 12)]
    assert (kept[0], kept[-1]) == (2, 1)


def test_the_next_part_of_a_film_finds_its_pictures_and_opens_its_clips_anew(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = image(shelf, "noise.png", noise(3))
    made = plan([clip("a", picture, motion={"kind": "push_in"})], [clip("b", film(shelf), scale=0.5)])
    whole = [frame.data.tobytes() for frame in Composer(made, shelf.files, shelf.folder).frames(0, 30)]
    opened: list[str] = []

    def noted(of: FramePlan, shot: Any, *given: Any) -> Any:
        opened.append(shot.clip.id)
        return open_layer(of, shot, *given)

    monkeypatch.setattr(composer_module, "open_layer", noted)
    composer = Composer(made, shelf.files, shelf.folder)
    for first, last in ((9, 20), (20, 30), (0, 9)):
        assert [frame.data.tobytes() for frame in composer.frames(first, last)] == whole[first:last]
    assert opened == ["a", "b", "b", "b"]
    assert len(composer.statistics.luma) == 9


@pytest.mark.parametrize(("kind", "given"), [("mp4", {}), ("mp4", {"speed": 1.5, "in_ms": 90}), ("ts", {})])
def test_a_part_of_a_film_within_a_film_shows_the_frames_of_the_whole(shelf: Shelf, kind: str, given: Any) -> None:
    """Its own rate is another one, and it ends before the clip does."""
    shelf.film(shelf.folder / f"film.{kind}", seconds=0.6, width=108, height=192)
    made = plan([clip("a", source(shelf, f"film.{kind}", "video"), **given)])
    composers = [Composer(made, shelf.files, shelf.folder) for _ in range(5)]
    whole, *parts = (
        [frame.data.tobytes() for frame in composer.frames(first, last)]
        for composer, first, last in zip(composers, (0, 7, 10, 19, 25), (30, 10, 19, 25, 30), strict=True)
    )
    assert [frame for part in parts for frame in part] == whole[7:]
    assert len(set(whole[:12])) > 8


# --- what is drawn and not decoded ------------------------------------------------------------------------------------


def test_a_gradient_goes_from_one_colour_to_the_other_without_steps(shelf: Shelf) -> None:
    grey = GradientSource(colours=["#202020", "#D0D0D0"], angle_degrees=90)
    (down,) = luma(shelf, [clip("a", grey)])
    rows = down.mean(axis=1)
    assert (np.diff(rows) > -1).all()
    assert rows[-1] - rows[0] > 120
    # Between near colours no row is a step: each mixes two values.
    near = GradientSource(colours=["#404040", "#484848"])
    (soft,) = luma(shelf, [clip("a", near)])
    assert (soft.std(axis=1) > 0).mean() > 0.5
    (round_,) = luma(shelf, [clip("a", GradientSource(colours=["#FFFFFF", "#000000"], shape="radial"))])
    assert round_[96, 54] > 200
    assert round_[2, 2] < 60


def test_shapes_have_their_size_and_are_clear_around_it(shelf: Shelf) -> None:
    ground = [clip("g", ColourSource(colour="#000000"))]
    (box,) = luma(shelf, ground, [clip("s", ShapeSource(width=0.5, height=0.25))])
    assert int((box > 200).sum()) == pytest.approx(54 * 28, rel=0.1)
    (disc,) = luma(shelf, ground, [clip("s", ShapeSource(shape="ellipse", width=0.5, height=0.5))])
    assert int((disc > 128).sum()) == pytest.approx(np.pi * 27 * 27, rel=0.05)
    (ring,) = luma(shelf, ground, [clip("s", ShapeSource(shape="ring", width=0.5, height=0.5))])
    assert ring[96, 54] < 20
    assert ring[96, 54 - 24] > 200
    (edged,) = luma(shelf, ground, [clip("s", ShapeSource(stroke=0.1, stroke_colour="#808080"))])
    assert edged[96, 54] > 220
    assert 90 < edged[96, 54 - 18] < 150


def test_a_logo_stands_in_its_corner_and_may_be_moved_from_there(shelf: Shelf) -> None:
    kept = image(shelf, "logo.png", np.full((40, 80, 3), 255, np.uint8))
    logo = LogoSource(asset_id=kept.asset_id, sha256=kept.sha256, corner="top_right", width=0.3, height=0.3)
    ground = [clip("g", ColourSource(colour="#000000"))]
    (there,), (moved,) = (luma(shelf, ground, [clip("l", logo, y=y)]) for y in (0.5, 0.7))
    rows, columns = np.nonzero(there > 128)
    assert (columns.max() - columns.min() + 1, rows.max() - rows.min() + 1) == pytest.approx((32, 16), abs=1)
    assert columns.max() / 108 == pytest.approx(0.93, abs=0.015)
    assert rows.min() / 192 == pytest.approx(0.12, abs=0.015)
    assert np.nonzero(moved > 128)[0].min() - rows.min() == pytest.approx(0.2 * 192, abs=1)


@pytest.mark.parametrize("text", ["Why is it dark", "لماذا السماء مظلمة", "夜空が暗いのは", "रात का आकाश"])
def test_words_are_a_picture_in_every_script(shelf: Shelf, text: str) -> None:
    ground = [clip("g", ColourSource(colour="#000000"))]
    words = TextSource(text=text, size=0.12, width=0.8)
    (plain,) = luma(shelf, ground, [clip("t", words)])
    rows, columns = np.nonzero(plain > 128)
    assert columns.min() > 0.09 * 108
    assert columns.max() < 0.91 * 108
    assert abs(rows.mean() / 192 - 0.5) < 0.08
    assert 0.01 < (plain > 128).mean() < 0.2
    # Like any other picture it can be turned, and stand on a field of its own.
    (turned,) = luma(shelf, ground, [clip("t", words.model_copy(update={"ground": "#FFFFFF"}), rotation_degrees=90)])
    rows, columns = np.nonzero(turned > 128)
    assert rows.max() - rows.min() > columns.max() - columns.min()


def test_a_part_of_a_film_shows_drawn_clips_as_the_whole_does(shelf: Shelf) -> None:
    """Segments are composed apart; what comes and goes must not depend on where one begins."""
    comes, goes = Animation(kind="pop", duration_ms=500), Animation(kind="wipe_left", duration_ms=500)
    given: list[Any] = [
        TextSource(text="Night", size=0.2, ground="#FFFFFF"),
        ShapeSource(shape="star"),
        GradientSource(colours=["#102030", "#F0E0D0"]),
    ]
    tracks = [[clip(f"c{at}", one, scale=0.5, enter=comes, leave=goes)] for at, one in enumerate(given)]
    whole = luma(shelf, [clip("g", ColourSource(colour="#404040"))], *tracks, numbers=(0, 30))
    part = luma(shelf, [clip("g", ColourSource(colour="#404040"))], *tracks, numbers=(9, 20))
    assert all(np.array_equal(one, other) for one, other in zip(part, whole[9:20], strict=True))
    assert not np.array_equal(whole[2], whole[20])


def test_words_and_their_field_have_the_colours_that_were_asked_for(shelf: Shelf) -> None:
    source = TextSource(text="I", ground="#E8E8E8", colour="#303030", size=0.3)
    (frame,) = luma(shelf, [clip("g", ColourSource(colour="#000000"))], [clip("t", source)])
    asked = [yuv_of(colour)[0] for colour in ("#303030", "#E8E8E8")]
    assert frame.max() == pytest.approx(asked[1], abs=2)
    assert frame[92:100, 50:58].min() == pytest.approx(asked[0], abs=3)


def test_a_clip_is_uncovered_and_slides(shelf: Shelf) -> None:
    ground = [clip("g", ColourSource(colour="#000000"))]
    box = ShapeSource(width=0.8, height=0.8)

    def columns(kind: Any, number: int) -> tuple[int, int]:
        enter = Animation(kind=kind, duration_ms=500, easing="linear")
        (frame,) = luma(shelf, ground, [clip("s", box, enter=enter)], numbers=(number, number + 1))
        lit = np.flatnonzero(frame[96] > 128)
        return (int(lit.min()), int(lit.max())) if len(lit) else (0, 0)

    left, right = columns("none", 20)
    assert columns("wipe_right", 6) == pytest.approx((left, left + (right - left) * 0.4), abs=3)
    assert columns("wipe_left", 6) == pytest.approx((right - (right - left) * 0.4, right), abs=3)
    assert columns("slide_left", 12)[0] == pytest.approx(left + 0.2 * 108, abs=1)
    assert columns("slide_right", 0) == (0, 0)
