"""Fonts that people bring: refused when they are broken, too large or not to be embedded; else text is set in them."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontTools.ttLib import TTFont

from fenta.contracts.documents import MediaRef
from fenta.contracts.timeline import AssetSource, CaptionTrack, OverlayClip, TextSource
from fenta.render.captions import fonts, own
from fenta.render.captions.own import prepare
from fenta.render.errors import RenderRefused
from fenta.render.faults import faults
from fenta.render.timeline import frame_plan, own_fonts, source_hashes
from tests.render.media import SMALL, Shelf, bindings, compiled
from tests.render.test_overlays import TALL, drawn, film, text_box

OURS = fonts.TEXT.path


def changed(folder: Path, change: Callable[[TTFont], None]) -> Path:
    with TTFont(OURS) as font:
        change(font)
        font.save(folder / "changed.ttf")
    return folder / "changed.ttf"


def brought(path: Path) -> AssetSource:
    return AssetSource(asset_id="asset_f", sha256=hashlib.sha256(path.read_bytes()).hexdigest(), media="font")


def refused(path: Path, folder: Path) -> str:
    with pytest.raises(RenderRefused) as caught:
        prepare(path, "0" * 64, folder)
    assert caught.value.hint
    assert not list(folder.glob("Own*"))
    return caught.value.code


def without(tag: str) -> Callable[[TTFont], None]:
    def change(font: TTFont) -> None:
        del font[tag]

    return change


def licence(bits: int) -> Callable[[TTFont], None]:
    def change(font: TTFont) -> None:
        font["OS/2"].fsType = bits

    return change


def narrower(font: TTFont) -> None:
    font["hmtx"].metrics = {name: (round(0.7 * wide), left) for name, (wide, left) in font["hmtx"].metrics.items()}


@pytest.mark.parametrize(("bits", "allowed"), [(0, True), (0x8, True), (0x4, True), (0x2, False), (0x208, False)])
def test_what_its_maker_does_not_allow_is_not_embedded(tmp_path: Path, bits: int, allowed: bool) -> None:
    path = changed(tmp_path, licence(bits))
    if allowed:
        assert prepare(path, "0" * 64, tmp_path).path.exists()
    else:
        assert refused(path, tmp_path) == "font_not_embeddable"


@pytest.mark.parametrize("tag", ["cmap", "OS/2", "hmtx", "glyf"])
def test_a_font_without_a_table_that_sets_text_is_refused(tmp_path: Path, tag: str) -> None:
    whole, path = OURS.read_bytes(), tmp_path / "font.ttf"
    # Its entry in the directory has another name, as if it had never been there.
    at = whole.index(tag.encode())
    path.write_bytes(whole[:at] + b"zzzz" + whole[at + 4 :])
    assert refused(path, tmp_path) == "font_invalid"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"wOF2" + bytes(400), b"ttcf" + bytes(400), b"<svg></svg>", b"\x00\x01\x00\x00", b"OTTO" + bytes(3000),
        OURS.read_bytes()[:20_000], OURS.read_bytes()[:-9000],
    ],
)  # fmt: skip
def test_what_is_no_font_or_only_a_part_of_one_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "font.ttf"
    path.write_bytes(data)
    assert refused(path, tmp_path) == "font_invalid"


def test_no_damaged_byte_brings_more_than_a_refusal(tmp_path: Path) -> None:
    whole, noise = OURS.read_bytes(), np.random.default_rng(5)
    for number in range(40):
        damaged = bytearray(whole)
        for at in noise.integers(0, 4000 if number % 2 else len(whole), 12):
            damaged[at] ^= 0xFF
        path = tmp_path / f"font-{number}.ttf"
        path.write_bytes(damaged)
        # Anything but a refusal would fail the test.
        with suppress(RenderRefused):
            prepare(path, f"{number:064x}", tmp_path)


def test_a_font_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "LARGEST_BYTES", OURS.stat().st_size - 1)
    assert refused(OURS, tmp_path) == "font_too_large"


def test_text_is_set_in_a_font_of_one_s_own_and_in_ours_where_it_has_no_letters(tmp_path: Path) -> None:
    path = changed(tmp_path, narrower)
    font = brought(path)
    faces = own.faces([font], {font.sha256: path}, tmp_path / "own")
    clip = OverlayClip(id="o", start_ms=0, duration_ms=1500, text="Night sky", style="heading")
    ours, theirs = (film(one) for one in (clip, clip.model_copy(update={"font": font})))
    assert source_hashes(theirs) == {font.sha256}
    (usual, none), (other, _) = (drawn(frame_plan(one, TALL, faces), tmp_path, (30, 50)) for one in (ours, theirs))
    widths = [box[2] - box[0] for box in (text_box(usual, none), text_box(other, none))]
    assert widths[1] < 0.85 * widths[0]
    # Arabic is not in it.
    arabic = clip.model_copy(update={"text": "سماء الليل"})
    ours, theirs = (film(one) for one in (arabic, arabic.model_copy(update={"font": font})))
    (usual, _), (other, _) = (drawn(frame_plan(one, TALL, faces), tmp_path, (30, 50)) for one in (ours, theirs))
    assert text_box(usual, none) == pytest.approx(text_box(other, none), abs=12)


def test_a_brand_s_font_is_that_of_all_text_of_a_template(shelf: Shelf) -> None:
    given = bindings(shelf, canvases=(SMALL,), slots={"font": MediaRef(asset_id="asset_f", sha256="f" * 64)})
    timeline = compiled(given, "product")
    drawn_text: list[Any] = [clip for track in timeline.tracks if track.kind == "overlay" for clip in track.clips]
    drawn_text += [track for track in timeline.tracks if isinstance(track, CaptionTrack)]
    pictures = [clip.source for track in timeline.tracks if track.kind == "video" for clip in track.clips]
    drawn_text += [source for source in pictures if isinstance(source, TextSource)]
    assert {one.font.sha256 for one in drawn_text} == {"f" * 64}
    assert [font.sha256 for font in own_fonts(timeline)] == ["f" * 64]
    assert faults(timeline, [SMALL], lambda texts: "") == []


def test_what_is_no_font_by_its_kind_is_told_with_its_place() -> None:
    wrong = brought(OURS).model_copy(update={"media": "image"})
    clip = OverlayClip(id="o", start_ms=0, duration_ms=1500, text="x", style="heading", font=wrong)
    (fault,) = faults(film(clip), [TALL], lambda texts: "")
    assert (fault.code, fault.pointer) == ("font_invalid", "/tracks/1/clips/0/font/media")
