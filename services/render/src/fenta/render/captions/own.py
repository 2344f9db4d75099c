"""Fonts that people bring: read table by table before any other program sees them, refused when anything is odd."""

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from fenta.contracts.timeline import AssetSource
from fenta.render.captions.faces import Face
from fenta.render.errors import RenderRefused

LARGEST_BYTES = 10_000_000
MOST_GLYPHS = 65_535
# TrueType and OpenType, one font per file. Packed ones (WOFF) are for web pages, collections hold several.
_SFNT = (b"\x00\x01\x00\x00", b"OTTO", b"true")
_NEEDED = ("head", "hhea", "maxp", "hmtx", "cmap", "OS/2", "name")
# Bits of OS/2.fsType: no embedding without leave of the owner, and of bitmaps only.
_RESTRICTED, _BITMAPS_ONLY = 0x0002, 0x0200
# What fontTools raises for tables that are not what they should be; it has no error of its own for all of them.
_BROKEN = (Exception,)


def faces(asked: Sequence[AssetSource], sources: Mapping[str, Path], folder: Path) -> dict[str, Face]:
    """The fonts of a film by the SHA-256 of their files, ready in `folder`. Raises RenderRefused as `prepare` does."""
    if asked:
        folder.mkdir(exist_ok=True)
    return {font.sha256: prepare(sources[font.sha256], font.sha256, folder) for font in asked}


def prepare(path: Path, sha256: str, folder: Path) -> Face:
    """Check a font and copy it into `folder` under a family name that no other font has.

    Raises RenderRefused `font_too_large`, `font_not_embeddable` or `font_invalid`.
    """
    if path.stat().st_size > LARGEST_BYTES:
        raise RenderRefused("font_too_large", f"The font has more than {LARGEST_BYTES} bytes.", "Take a smaller one.")
    with path.open("rb") as file:
        if file.read(4) not in _SFNT:
            raise _invalid("it is neither TrueType nor OpenType")
    family = f"Own{sha256[:24]}"
    copy = folder / f"{family}.ttf"
    if not copy.exists():
        _renamed(path, family, copy)
    return Face(family, str(copy.resolve()))


def _renamed(path: Path, family: str, copy: Path) -> None:
    # Imported where it is needed: the process that serves requests reads no fonts.
    from fontTools.ttLib import TTFont  # noqa: PLC0415

    try:
        with path.open("rb") as file, TTFont(file, lazy=True) as font:
            _read(font, path.stat().st_size)
            _require_leave(font["OS/2"].fsType)
            for record in list(font["name"].names):
                if record.nameID in {1, 2, 3, 4, 6, 16, 17, 21, 22, 25}:
                    font["name"].removeNames(nameID=record.nameID)
            for name_id, text in ((1, family), (2, "Regular"), (3, family), (4, family), (6, family)):
                font["name"].setName(text, name_id, 3, 1, 0x409)
            # Under another name first: several workers may do this at once.
            font.save(copy.with_suffix(f".{os.getpid()}"))
        copy.with_suffix(f".{os.getpid()}").replace(copy)
    except RenderRefused:
        raise
    except _BROKEN as error:
        copy.with_suffix(f".{os.getpid()}").unlink(missing_ok=True)
        raise _invalid("its tables cannot be read") from error


def _read(font: Any, size: int) -> None:
    """Every table lies in the file, and those that set text mean something."""
    missing = [tag for tag in _NEEDED if tag not in font]
    if missing or not ({"glyf", "CFF ", "CFF2"} & set(font.keys())):
        raise _invalid(f"it has no table {missing[0] if missing else 'of outlines'}")
    for entry in font.reader.tables.values():
        if entry.offset + entry.length > size:
            raise _invalid("it is cut off")
    em, glyphs = font["head"].unitsPerEm, font["maxp"].numGlyphs
    advances, characters = font["hmtx"].metrics, font.getBestCmap()
    if not (16 <= em <= 16_384 and 0 < glyphs <= MOST_GLYPHS and characters):
        raise _invalid("it has no characters of a sensible size")
    if any(name not in advances for name in characters.values()):
        raise _invalid("it speaks of glyphs that it does not have")
    if not 0 < font["OS/2"].usWinAscent + font["OS/2"].usWinDescent < 8 * em:
        raise _invalid("its lines have no sensible height")
    if "glyf" in font:
        _require_rising(font["loca"].locations, font.reader.tables["glyf"].length)


def _require_rising(locations: Any, length: int) -> None:
    places = list(locations)
    if any(later < before for before, later in pairwise(places)) or places[-1] > length:
        raise _invalid("its outlines lie outside of their table")


def _require_leave(fs_type: int) -> None:
    if fs_type & _RESTRICTED or fs_type & _BITMAPS_ONLY:
        raise RenderRefused(
            "font_not_embeddable",
            "The font's maker does not allow it to be put into films.",
            "Take one whose licence allows it, or ask its maker.",
        )


def _invalid(reason: str) -> RenderRefused:
    return RenderRefused("font_invalid", f"The font cannot be used: {reason}.", "Export it again as TTF or OTF.")
