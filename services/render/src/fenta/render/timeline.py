"""The pure half of a render: what every absolute frame number of a timeline shows."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fenta.contracts.timeline import (
    AssetSource,
    AudioTrack,
    Canvas,
    CaptionClip,
    CaptionTrack,
    LogoSource,
    Lut,
    OverlayClip,
    OverlayTrack,
    TextSource,
    Timeline,
    VideoClip,
    VideoTrack,
)
from fenta.render.captions.faces import Face
from fenta.render.compose.placement import fills_the_canvas

# How many frames a thumbnail is chosen from.
CANDIDATES = 6


@dataclass(frozen=True)
class Shot:
    """A clip in whole frames: it owns `[first, last)` and stays visible `tail` frames under the next transition.

    `over` is the number of its track: 0 for the one that fills the canvas, rising for those that lie over it.
    """

    clip: VideoClip
    first: int
    last: int
    tail: int = 0
    fade: int = 0
    over: int = 0

    @property
    def key(self) -> tuple[int, int]:
        return self.over, self.first

    @property
    def length(self) -> int:
        return self.last + self.tail - self.first

    @cached_property
    def fills(self) -> bool:
        """Whether nothing but this clip is seen while it lasts."""
        return self.over == 0 and fills_the_canvas(self.clip)

    def position(self, frame: int) -> float:
        """How far the camera has moved, 0 to 1. A shot of one frame stands at its beginning."""
        return (frame - self.first) / max(1, self.length - 1)

    @property
    def filmed(self) -> bool:
        source = self.clip.source
        return isinstance(source, AssetSource) and source.media == "video"

    @property
    def moves(self) -> bool:
        """Whether two neighbouring frames should differ: a moving picture, or a still one under a moving camera."""
        return self.fills and (self.filmed or self.clip.motion.kind != "static")


@dataclass(frozen=True)
class View:
    """What one frame shows: a shot, while a transition lasts the next one `share` of the way in, and what lies over."""

    below: Shot
    above: Shot | None = None
    share: float = 1.0
    over: tuple[Shot, ...] = ()

    @property
    def shots(self) -> list[Shot]:
        return [shot for shot in (self.below, self.above, *self.over) if shot]


@dataclass(frozen=True)
class FramePlan:
    """A timeline on one canvas, in absolute frame numbers, so that any cut of it shows the same frames.

    `over` has the shots of all further tracks, the lowest track first.
    """

    timeline: Timeline
    canvas: Canvas
    frames: int
    shots: tuple[Shot, ...]
    over: tuple[Shot, ...] = ()
    # Fonts that people brought, by the SHA-256 of their files.
    faces: Mapping[str, Face] = field(default_factory=dict)

    @property
    def fps(self) -> int:
        return self.timeline.fps

    def view(self, frame: int) -> View:
        index = bisect_right([shot.first for shot in self.shots], frame) - 1
        shot = self.shots[index]
        inside = frame - shot.first
        over = tuple(other for other in self.over if other.first <= frame < other.last)
        if index and inside < shot.fade:
            return View(self.shots[index - 1], shot, (inside + 1) / (shot.fade + 1), over)
        return View(shot, over=over)

    def expected_to_move(self, frame: int) -> bool:
        view = self.view(frame)
        # What lies over may hide all that moves.
        return not view.over and (view.above is not None or view.below.moves)


def frame_plan(timeline: Timeline, canvas: Canvas, faces: Mapping[str, Face] | None = None) -> FramePlan:
    """Place every clip of the picture tracks on whole frames."""
    base, *upper = picture_tracks(timeline)
    clips = sorted(base.clips, key=lambda clip: clip.start_ms)
    starts = [timeline.frame(clip.start_ms) for clip in clips]
    ends = [timeline.frame(clip.start_ms + clip.duration_ms) for clip in clips]
    lengths = [end - start for start, end in zip(starts, ends, strict=True)]
    fades = [_fade(timeline, clips, lengths, index) for index in range(len(clips))]
    tails = [*fades[1:], 0]
    shots = tuple(Shot(*parts) for parts in zip(clips, starts, ends, tails, fades, strict=True))
    over = tuple(_over(timeline, clip, number) for number, track in enumerate(upper, start=1) for clip in track.clips)
    return FramePlan(timeline, canvas, timeline.frame(timeline.duration_ms), shots, over, faces or {})


def _over(timeline: Timeline, clip: VideoClip, number: int) -> Shot:
    return Shot(clip, timeline.frame(clip.start_ms), timeline.frame(clip.start_ms + clip.duration_ms), over=number)


def _fade(timeline: Timeline, clips: Sequence[VideoClip], lengths: Sequence[int], index: int) -> int:
    transition = clips[index].transition
    if index == 0 or transition is None or transition.kind == "cut":
        return 0
    # A transition longer than half of a neighbour would leave no moment in which that one is seen alone.
    return min(timeline.frame(transition.duration_ms), lengths[index] // 2, lengths[index - 1] // 2)


def thumbnail_frames(plan: FramePlan) -> list[int]:
    """The frames that a thumbnail is chosen from: the middles of the first shots, where no transition shows another."""
    return [(shot.first + shot.fade + shot.last) // 2 for shot in plan.shots[:CANDIDATES]]


def grid_ms(fps: int) -> int:
    """The shortest step that is both a whole number of frames and of 10 ms."""
    return next(step for step in range(10, 1001, 10) if step * fps % 1000 == 0)


def picture_tracks(timeline: Timeline) -> list[VideoTrack]:
    """The first fills the canvas, each further one lies over those before it."""
    return [track for track in timeline.tracks if isinstance(track, VideoTrack)]


def pictures(timeline: Timeline) -> list[VideoClip]:
    return [clip for track in picture_tracks(timeline) for clip in track.clips]


def overlays(timeline: Timeline) -> list[OverlayClip]:
    return [clip for track in timeline.tracks if isinstance(track, OverlayTrack) for clip in track.clips]


def sounds(timeline: Timeline) -> list[AudioTrack]:
    return [track for track in timeline.tracks if isinstance(track, AudioTrack)]


def audible(timeline: Timeline) -> bool:
    """Whether anything is to be heard."""
    own = (clip.gain_db is not None for clip in pictures(timeline))
    return any(track.clips for track in sounds(timeline)) or any(own)


def captions(timeline: Timeline) -> CaptionTrack | None:
    """The caption track, of which a render has at most one."""
    return next((track for track in timeline.tracks if isinstance(track, CaptionTrack)), None)


def burned(timeline: Timeline) -> list[CaptionClip]:
    """The captions that are drawn into the picture."""
    track = captions(timeline)
    return list(track.clips) if track and track.burn else []


def shaded(timeline: Timeline) -> bool:
    """Whether the picture is darkened where captions stand."""
    track = captions(timeline)
    return bool(burned(timeline)) and bool(track and track.shade)


def source_hashes(timeline: Timeline) -> set[str]:
    """The SHA-256 of every file that the render reads."""
    seen = [clip.source for clip in pictures(timeline)]
    looks = [effect.source for clip in pictures(timeline) for effect in clip.effects if isinstance(effect, Lut)]
    heard = [clip.source for track in sounds(timeline) for clip in track.clips]
    files = {source.sha256 for source in [*seen, *looks, *heard] if isinstance(source, AssetSource | LogoSource)}
    return files | files_of_words(timeline)


def files_of_words(timeline: Timeline) -> set[str]:
    """What is needed to write the words of any part: the file that has the captions, where the timeline itself has
    none, and fonts that people brought."""
    track = captions(timeline)
    said = {track.source.sha256} if track and track.source and not track.clips else set()
    return said | {font.sha256 for font in own_fonts(timeline)}


def sources_between(plan: FramePlan, first: int, last: int) -> set[str]:
    """The SHA-256 of every file that the frames `[first, last)` show."""
    shots = [shot for shot in (*plan.shots, *plan.over) if shot.first < last and shot.last + shot.tail > first]
    seen = [shot.clip.source for shot in shots]
    looks = [effect.source for shot in shots for effect in shot.clip.effects if isinstance(effect, Lut)]
    return {source.sha256 for source in [*seen, *looks] if isinstance(source, AssetSource | LogoSource)}


def own_fonts(timeline: Timeline) -> list[AssetSource]:
    """The fonts that people brought, each once."""
    track = captions(timeline)
    asked = [track.font if track else None, *(clip.font for clip in overlays(timeline))]
    asked += [clip.source.font for clip in pictures(timeline) if isinstance(clip.source, TextSource)]
    return list({font.sha256: font for font in asked if font}.values())


def own_face(plan: FramePlan, font: AssetSource | None) -> Face | None:
    """The face of a font that people brought, if one is asked for."""
    return plan.faces[font.sha256] if font else None


def label(canvas: Canvas) -> str:
    """The canvas' aspect as a part of file names."""
    return canvas.aspect.replace(":", "x")
