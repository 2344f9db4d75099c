"""Effects change what they should and nothing else; the same input always gives the same bytes."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fenta.contracts.timeline import Adjust, AssetSource, Blur, ChromaKey, Effect, Grain, Lut, Vignette
from fenta.render.compose import effects, lut
from fenta.render.compose.colour import exact_bgr, to_yuv, yuv_of
from fenta.render.compose.frame import Frame
from fenta.render.errors import RenderRefused

RED, GREEN, BLUE = "#D03020", "#00B140", "#2040C0"


def half_and_half(left: str, right: str, width: int = 64, height: int = 32) -> Frame:
    frame = Frame(width, height)
    for plane, *values in zip(frame.planes(), yuv_of(left), yuv_of(right), strict=True):
        middle = plane.shape[1] // 2
        plane[:, :middle], plane[:, middle:] = values
    return frame


def colour(frame: Frame, x: int, y: int) -> np.ndarray:
    """Blue, green and red, 0 to 255."""
    place = np.array([frame.y[y, x], frame.u[y // 2, x // 2], frame.v[y // 2, x // 2]], float)
    return np.round(exact_bgr(place) * 255)


def noisy(seed: int = 1) -> Frame:
    frame = Frame(96, 64)
    frame.data[:] = np.random.default_rng(seed).integers(30, 220, frame.data.size)
    return frame


def applied(effect: Effect, frame: Frame, number: int = 0) -> Frame:
    effects.prepare(effect, {})(frame, number)
    return frame


@pytest.mark.parametrize("effect", [Adjust(), Blur(radius=0), Grain(amount=0), Vignette(amount=0)])
def test_an_effect_of_nothing_changes_nothing(effect: Any) -> None:
    assert np.array_equal(applied(effect, noisy()).data, noisy().data)


def test_brightness_contrast_and_saturation() -> None:
    grey = half_and_half("#606060", "#A0A0A0")
    brighter, harder = (
        applied(Adjust(**given), half_and_half("#606060", "#A0A0A0"))
        for given in ({"brightness": 0.2}, {"contrast": 0.5})
    )
    assert int(brighter.y[0, 0]) - int(grey.y[0, 0]) == pytest.approx(0.1 * 219, abs=1)
    assert int(harder.y[0, -1]) - int(harder.y[0, 0]) == pytest.approx(
        2 * (int(grey.y[0, -1]) - int(grey.y[0, 0])), abs=2
    )
    colourless, dull = (applied(Adjust(saturation=share), half_and_half(RED, BLUE)) for share in (0, 0.5))
    assert {*colourless.u.ravel(), *colourless.v.ravel()} == {128}
    assert int(dull.v[0, 0]) - 128 == pytest.approx((yuv_of(RED)[2] - 128) / 2, abs=1)


def test_what_is_adjusted_stays_within_what_films_may_hold() -> None:
    frame = applied(Adjust(brightness=1, contrast=1, saturation=3), noisy())
    assert (frame.y.min(), frame.y.max()) >= (16, 16)
    assert frame.y.max() <= 235
    assert (min(frame.u.min(), frame.v.min()), max(frame.u.max(), frame.v.max())) == (16, 240)


@pytest.mark.parametrize("radius", [0.01, 0.03, 0.1])
def test_a_blur_is_as_wide_as_it_says(radius: float) -> None:
    """An edge becomes the integral of a bell curve: its spread is the radius."""
    frame = applied(Blur(radius=radius), half_and_half("#000000", "#FFFFFF", 400, 40))
    slope = np.diff(frame.y[20].astype(float))
    places = np.arange(slope.size)
    middle = (slope * places).sum() / slope.sum()
    spread = np.sqrt((slope * (places - middle) ** 2).sum() / slope.sum())
    assert middle == pytest.approx(199, abs=1)
    assert spread == pytest.approx(radius * 400, rel=0.12)


def test_grain_is_the_same_for_the_same_seed_and_frame_and_no_other() -> None:
    one, same, later, other = (
        applied(Grain(amount=0.5, seed=seed), half_and_half("#808080", "#808080"), number)
        for seed, number in ((7, 3), (7, 3), (7, 4), (8, 3))
    )
    assert np.array_equal(one.y, same.y)
    assert (one.y != later.y).mean() > 0.5
    assert (one.y != other.y).mean() > 0.5
    assert float(one.y.mean()) == pytest.approx(float(half_and_half("#808080", "#808080").y.mean()), abs=0.6)
    assert 4 < float(one.y.std()) < 14


def test_grain_covers_every_part_of_a_large_frame() -> None:
    frame = Frame(1100, 1300)
    frame.fill(120, 128, 128)
    applied(Grain(amount=1), frame, 5)
    parts = [part.std() for rows in np.array_split(frame.y, 20) for part in np.array_split(rows, 20, axis=1)]
    assert min(parts) > 8


def test_a_vignette_darkens_the_corners_and_not_the_middle() -> None:
    frame = applied(Vignette(amount=1), half_and_half("#C0C0C0", "#C0C0C0", 90, 160))
    plain = yuv_of("#C0C0C0")[0]
    assert frame.y[80, 45] == plain
    assert all(frame.y[row, column] < plain / 2 for row in (0, -1) for column in (0, -1))


# --- chroma key -------------------------------------------------------------------------------------------------------


def test_the_key_is_clear_and_the_rest_is_not() -> None:
    frame = applied(ChromaKey(colour=GREEN), half_and_half(GREEN, RED))
    assert frame.alpha is not None
    assert frame.alpha[:, :28].max() == 0
    assert frame.alpha[:, 36:].min() == 255


def test_a_shadow_on_the_screen_is_clear_too() -> None:
    """It is darker, but of the key's hue."""
    frame = applied(ChromaKey(colour=GREEN), half_and_half("#008C33", RED))
    assert frame.alpha is not None
    assert frame.alpha[:, :28].max() == 0


def test_the_shine_of_the_key_is_taken_away() -> None:
    tinted = "#8CB496"
    kept, freed = (applied(ChromaKey(colour=GREEN, spill=spill), half_and_half(tinted, RED)) for spill in (0, 1))
    before, after = colour(kept, 5, 5), colour(freed, 5, 5)
    assert before[1] - max(before[0], before[2]) > 20
    assert after[1] <= max(after[0], after[2]) + 3
    assert np.array_equal(colour(kept, 50, 5), colour(freed, 50, 5))


def test_a_tolerance_says_how_far_from_the_key_is_clear() -> None:
    near = "#5BC07C"
    narrow, wide = (applied(ChromaKey(colour=GREEN, tolerance=some), half_and_half(near, RED)) for some in (0.1, 0.7))
    assert narrow.alpha is not None
    assert wide.alpha is not None
    assert (narrow.alpha[5, 5], wide.alpha[5, 5]) == (255, 0)


# --- colour tables ----------------------------------------------------------------------------------------------------


def cube(path: Path, change: Any, size: int = 17) -> Path:
    steps = np.linspace(0, 1, size)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    rows = np.clip(change(np.stack([red, green, blue], axis=-1)), 0, 1).reshape(-1, 3)
    text = "".join(f"{r:.6f} {g:.6f} {b:.6f}\n" for r, g, b in rows)
    path.write_text(f'TITLE "a look"\n# made by hand\nLUT_3D_SIZE {size}\n{text}')
    return path


def painted() -> Frame:
    """Soft colours of all kinds, as far as a screen shows them."""
    noise = np.random.default_rng(4).random((4, 6, 3)).astype(np.float32)
    picture = np.clip(cv2.resize(noise, (240, 160), interpolation=cv2.INTER_CUBIC) * 255, 0, 255).astype(np.uint8)
    frame = Frame(240, 160)
    y, u, v = to_yuv(picture)
    frame.y[:] = y
    for target, plane in ((frame.u, u), (frame.v, v)):
        target[:] = cv2.resize(plane, (120, 80), interpolation=cv2.INTER_AREA)
    return frame


def small(frame: Frame) -> np.ndarray:
    """Blue, green and red of every fourth pixel, 0 to 1."""
    y = cv2.resize(frame.y, (120, 80), interpolation=cv2.INTER_AREA)
    return exact_bgr(np.stack([y, frame.u, frame.v], axis=-1).astype(float))


CHANGES = {
    "as it is": lambda rgb: rgb,
    "warm": lambda rgb: rgb ** [0.8, 1.0, 1.3],
    "swapped": lambda rgb: rgb[..., ::-1],
    "faded": lambda rgb: 0.15 + 0.7 * rgb,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_table_gives_the_colours_that_it_holds(tmp_path: Path, name: str) -> None:
    look = lut.Look(lut.read(cube(tmp_path / "look.cube", CHANGES[name])), 1.0)
    frame = painted()
    wanted = CHANGES[name](small(frame)[..., ::-1])[..., ::-1]
    look.apply(frame)
    errors = np.abs(small(frame) - wanted) * 255
    assert errors.mean() < 2.5
    assert np.percentile(errors, 99) < 10


def test_half_a_look_goes_half_the_way(tmp_path: Path) -> None:
    table = lut.read(cube(tmp_path / "look.cube", CHANGES["swapped"]))
    plain, half, whole = painted(), painted(), painted()
    lut.Look(table, 0.5).apply(half)
    lut.Look(table, 1.0).apply(whole)
    ways = [frame.data.astype(int) - plain.data for frame in (half, whole)]
    assert np.abs(2 * ways[0] - ways[1]).max() <= 2


def test_a_table_is_read_from_the_asset_that_the_effect_names(tmp_path: Path) -> None:
    path = cube(tmp_path / "look.cube", lambda rgb: 1 - rgb)
    source = AssetSource(asset_id="asset_1", sha256="a" * 64, media="lut")
    frame = half_and_half("#FFFFFF", "#000000")
    effects.prepare(Lut(source=source), {"a" * 64: path})(frame, 0)
    assert frame.y[0, 0] < 20
    assert frame.y[0, -1] > 230


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LUT_3D_SIZE\n",
        "LUT_3D_SIZE x\n",
        "LUT_3D_SIZE 1\n0 0 0\n",
        "LUT_3D_SIZE 2\n0 0 0\n",
        "LUT_3D_SIZE 99999\n0 0 0\n",
        "LUT_1D_SIZE 2\n0 0 0\n1 1 1\n",
        "LUT_3D_SIZE 2\n" + "0 0\n" * 8,
        "LUT_3D_SIZE 2\n" + "0 0 nan\n" * 8,
        "LUT_3D_SIZE 2\n" + "0 0 zero\n" * 8,
        "LUT_3D_SIZE 2\nDOMAIN_MAX 0 0 0\n" + "0 0 0\n" * 8,
        "\x00\xff\xfe" * 50,
    ],
)
def test_a_broken_table_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.cube"
    path.write_text(text)
    with pytest.raises(RenderRefused) as refused:
        lut.read(path)
    assert refused.value.code == "source_invalid"
    assert refused.value.message.endswith(".")
