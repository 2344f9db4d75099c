"""Whether a finished file is what was asked for: judged by its packets and by what was seen while composing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from fenta.contracts.timeline import CaptionTrack
from fenta.render.captions.text import plain
from fenta.render.encoders import SOFTWARE, Encoder
from fenta.render.errors import Fault
from fenta.render.timeline import FramePlan, burned, captions, picture_tracks, sounds

BLACK_LUMA = 20.0
SHORTEST_BLACK_MS, SHORTEST_FROZEN_MS, SHORTEST_SILENCE_MS = 300, 1000, 2000
LOUDNESS_TOLERANCE = 1.0
# Of the smallest frame there is, of headers, and of twice the rate at which sound is encoded.
FRAME_BYTES, HEADER_BYTES, SOUND_BYTES_SECOND = 8, 1 << 20, 48_000


@dataclass(frozen=True)
class Seen:
    """Of every frame its mean luma and its difference to the one before, where both were composed in one go; of probe
    frames whether text was there."""

    luma: Sequence[float]
    change: Sequence[float | None]
    captioned: Mapping[int, bool]


@dataclass(frozen=True)
class Heard:
    """What was measured of the sound."""

    loudness_lufs: float | None
    silent_ms: int
    mute: Sequence[str]


@dataclass(frozen=True)
class FileFacts:
    """What the packets and headers of a file say; nothing is decoded for it."""

    frames: int
    duration_ms: int
    width: int
    height: int
    codec: str
    profile: str
    pixel_format: str
    colour: tuple[int, int, int, int]
    steady: bool
    sound_ms: int | None
    sound: str | None
    streams: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True)
class Checks:
    """The measurements; the faults found in them decide whether anybody sees the file."""

    duration_error_ms: int
    loudness_lufs: float | None
    black_ms: int
    frozen_ms: int
    silent_ms: int
    caption_coverage: float
    faults: tuple[Fault, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.faults


def check(plan: FramePlan, facts: FileFacts, seen: Seen, heard: Heard, encoder: Encoder = SOFTWARE["h264"]) -> Checks:
    """Look at everything and name all that is wrong."""
    wanted_ms = plan.frames * 1000 // plan.fps
    measured = Checks(
        duration_error_ms=abs(facts.duration_ms - wanted_ms),
        loudness_lufs=heard.loudness_lufs,
        black_ms=_longest_ms(plan, _black(seen)),
        frozen_ms=_longest_ms(plan, _standing(plan, seen)),
        silent_ms=heard.silent_ms,
        caption_coverage=coverage(plan),
    )
    faults = (
        *_file_faults(plan, facts, measured, encoder),
        *_picture_faults(plan, seen, measured),
        *_sound_faults(plan, heard),
        *_caption_faults(plan, seen, measured),
    )
    return Checks(**{**vars(measured), "faults": faults})


def _longest(flags: Sequence[bool]) -> tuple[int, int]:
    """Where the longest stretch begins in which the flag is set, and its length."""
    best, at = (0, 0), 0
    for flag, group in groupby(flags):
        length = len(list(group))
        if flag and length > best[1]:
            best = at, length
        at += length
    return best


def _longest_ms(plan: FramePlan, flags: Sequence[bool]) -> int:
    return _longest(flags)[1] * 1000 // plan.fps


def _middle(flags: Sequence[bool]) -> int:
    first, length = _longest(flags)
    return first + length // 2


def _black(seen: Seen) -> list[bool]:
    return [luma < BLACK_LUMA for luma in seen.luma]


def _standing(plan: FramePlan, seen: Seen) -> list[bool]:
    """Where a segment begins, what stood before goes on standing."""
    flags, stands = [], False
    for frame, change in enumerate(seen.change):
        stands = (stands if change is None else change == 0) and plan.expected_to_move(frame)
        flags.append(stands)
    return flags


def _file_faults(plan: FramePlan, facts: FileFacts, measured: Checks, encoder: Encoder) -> Iterator[Fault]:
    canvas = plan.canvas
    if measured.duration_error_ms > 1000 // plan.fps:
        yield Fault("duration_wrong", f"The film is {measured.duration_error_ms} ms off its length.")
    if facts.frames != plan.frames or not facts.steady:
        yield Fault("frames_missing", f"The film has {facts.frames} frames instead of {plan.frames}.")
    if (facts.width, facts.height) != (canvas.width, canvas.height):
        size = f"{facts.width}x{facts.height}"
        yield Fault("size_wrong", f"The film is {size} instead of {canvas.width}x{canvas.height}.")
    if (facts.codec, facts.profile, facts.pixel_format) != (encoder.codec, encoder.profile, "yuv420p"):
        yield Fault("codec_wrong", f"The picture is {facts.codec} {facts.profile} {facts.pixel_format}.")
    if facts.colour != (1, 1, 1, 1):
        yield Fault("colour_wrong", "The film does not say that its colours are BT.709.")
    yield from _stream_faults(plan, facts, measured)


def _stream_faults(plan: FramePlan, facts: FileFacts, measured: Checks) -> Iterator[Fault]:
    heard = any(track.clips for track in sounds(plan.timeline))
    if set(facts.streams) - {"video", "audio"} or len(set(facts.streams)) < len(facts.streams):
        yield Fault("streams_wrong", f"The file has the streams {', '.join(facts.streams)}.")
    elif not heard and not _own_sounds(plan) and "audio" in facts.streams:
        yield Fault("streams_wrong", "The film has a sound that nobody asked for.")
    least, most = _size_bounds(plan)
    if not least <= facts.size_bytes <= most:
        yield Fault("file_size_wrong", f"The file has {facts.size_bytes} bytes; {least} to {most} are believable.")
    if not heard:
        return
    if facts.sound_ms is None or facts.sound != "aac 48000 2":
        yield Fault("stream_missing", "The film has no sound, or not in the form that players expect.")
    elif abs(facts.sound_ms - plan.frames * 1000 // plan.fps) > 50:
        yield Fault("duration_wrong", f"The sound lasts {facts.sound_ms} ms.")


def _own_sounds(plan: FramePlan) -> bool:
    """Whether a film in the film is to be heard; it may be silent all the same."""
    return any(clip.gain_db is not None for track in picture_tracks(plan.timeline) for clip in track.clips)


def _size_bounds(plan: FramePlan) -> tuple[int, int]:
    """What even a film in which nothing moves takes, and half of what its bare frames would, with sound and headers."""
    bare = plan.frames * plan.canvas.width * plan.canvas.height * 3 // 2
    sound = plan.frames * SOUND_BYTES_SECOND // plan.fps
    return plan.frames * FRAME_BYTES, bare // 2 + sound + HEADER_BYTES


def _picture_faults(plan: FramePlan, seen: Seen, measured: Checks) -> Iterator[Fault]:
    if len(seen.luma) != plan.frames:
        yield Fault("frames_missing", f"{len(seen.luma)} frames were composed instead of {plan.frames}.")
    if measured.black_ms >= SHORTEST_BLACK_MS:
        yield Fault("black", f"The film is black for {measured.black_ms} ms.", frame=_middle(_black(seen)))
    if measured.frozen_ms >= SHORTEST_FROZEN_MS:
        message = f"The picture stands still for {measured.frozen_ms} ms."
        yield Fault("frozen", message, frame=_middle(_standing(plan, seen)))


def _sound_faults(plan: FramePlan, heard: Heard) -> Iterator[Fault]:
    wanted = plan.timeline.loudness.lufs
    music = any(track.role == "music" and track.clips for track in sounds(plan.timeline))
    if heard.mute:
        yield Fault("silent", f"Nothing is heard where somebody should speak: {', '.join(heard.mute)}.")
    elif music and heard.silent_ms >= SHORTEST_SILENCE_MS:
        yield Fault("silent", f"Nothing is heard for {heard.silent_ms} ms.")
    elif heard.loudness_lufs is not None and abs(heard.loudness_lufs - wanted) > LOUDNESS_TOLERANCE:
        yield Fault("loudness_wrong", f"The sound has {heard.loudness_lufs} LUFS instead of {wanted}.")


def _caption_faults(plan: FramePlan, seen: Seen, measured: Checks) -> Iterator[Fault]:
    if not burned(plan.timeline):
        return
    if measured.caption_coverage < 1:
        yield Fault("captions_missing", "Something is said without a caption.")
    invisible = sorted(frame for frame, visible in seen.captioned.items() if not visible)
    if invisible:
        moments = ", ".join(f"{frame * 1000 // plan.fps} ms" for frame in invisible[:5])
        yield Fault("captions_missing", f"Captions cannot be seen at {moments}.", frame=invisible[0])
    elif not seen.captioned:
        yield Fault("captions_missing", "No caption was drawn into the film.")


def coverage(plan: FramePlan) -> float:
    """The share of spoken scenes that have a caption."""
    tracks = [track for track in sounds(plan.timeline) if track.role == "voice"]
    spoken = {clip.scene or clip.id for track in tracks for clip in track.clips}
    track = captions(plan.timeline)
    if track and track.source:
        # Their author has chosen what to write.
        return 1.0
    shown = _captioned_scenes(track) if track else set()
    return round(len(spoken & shown) / len(spoken), 3) if spoken else 1.0


def _captioned_scenes(track: CaptionTrack) -> set[str]:
    return {clip.scene for clip in track.clips if clip.scene and plain(clip.text)}
