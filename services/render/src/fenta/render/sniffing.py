"""What a file from a stranger is, by its first bytes: the only way in which one reaches a decoder.

Left to itself, ffmpeg also opens playlists and scripts, which name other files and addresses. So each file is opened as
what it is, from a local path, and nothing that it names is followed.
"""

from pathlib import Path
from typing import Any

from fenta.render.errors import RenderRefused

# ISO media begin with one of these boxes.
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_RIFF = {b"AVI ": "avi", b"WAVE": "wav"}
_MAGIC = {
    b"\x1aE\xdf\xa3": "matroska",
    b"OggS": "ogg",
    b"fLaC": "flac",
    b"FLV\x01": "flv",
    b"GIF8": "gif",
    b"ID3": "mp3",
}
_PICTURES = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"GIF8": "gif", b"BM": "bmp"}
_PACKET = 188
# For whoever opens what was sniffed; a sound file of our own is read the same way.
PROTOCOLS = "file"
# A film has a picture, sounds, subtitles; nobody needs more, and each costs memory before anything is decoded.
MOST_STREAMS = 32
MOST_PIXELS = 120_000_000
# For whatever opens a file: nothing that it names, and no more parts than can be looked at.
GUARDS = {"protocol_whitelist": PROTOCOLS, "max_streams": str(2 * MOST_STREAMS)}


def picture(path: Path, clip_id: str) -> str:
    """What kind of picture a file is. Raises RenderRefused `source_invalid` for any other kind."""
    with path.open("rb") as file:
        head = file.read(12)
    found = next((name for magic, name in _PICTURES.items() if head.startswith(magic)), None)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        found = "webp"
    if head[4:12] in {b"ftypavif", b"ftypavis"}:
        found = "avif"
    if found is None:
        raise RenderRefused(
            "source_invalid",
            f"The picture of clip {clip_id} is of no kind that is read here.",
            "Pictures may be JPEG, PNG, WebP, AVIF, GIF, BMP.",
        )
    return found


def require_modest(container: Any, clip_id: str) -> None:
    """Raises RenderRefused when an opened file has more streams or larger pictures than anybody needs."""
    if len(container.streams) > MOST_STREAMS:
        raise _immodest(clip_id, f"has {len(container.streams)} streams; {MOST_STREAMS} is the limit")
    for stream in container.streams.video:
        if stream.codec_context.width * stream.codec_context.height > MOST_PIXELS:
            raise _immodest(clip_id, f"has pictures of more than {MOST_PIXELS // 1_000_000} million pixels")


def _immodest(clip_id: str, what: str) -> RenderRefused:
    return RenderRefused("source_invalid", f"The file of clip {clip_id} {what}.", "Encode it again, in a usual form.")


def demuxer(path: Path, clip_id: str) -> str:
    """The name under which ffmpeg reads such a file. Raises RenderRefused `source_invalid` for any other kind."""
    with path.open("rb") as file:
        head = file.read(_PACKET + 1)
    found = _by_magic(head) or _by_pattern(head)
    if found is None:
        raise RenderRefused(
            "source_invalid",
            f"The file of clip {clip_id} is of no kind that is read here.",
            "Films may be MP4, MOV, WebM, MKV, AVI, FLV, TS, GIF; sounds WAV, MP3, AAC, M4A, FLAC, Ogg, AIFF.",
        )
    return found


def _by_magic(head: bytes) -> str | None:
    if head[4:8] in _BOXES:
        return "mov"
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return "aiff"
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def _by_pattern(head: bytes) -> str | None:
    """Formats without a signature, by what each of their packets begins with."""
    if len(head) > _PACKET and head[0] == head[_PACKET] == 0x47:
        return "mpegts"
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    # MPEG audio of layer 0 is AAC.
    return "aac" if head[1] & 0x06 == 0 else "mp3"
