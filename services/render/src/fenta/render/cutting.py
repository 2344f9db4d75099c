"""Where a film is cut into the segments that are encoded apart, and found again one by one.

An edit should cost what it changes. A camera is seen in its scene and under the transition after it, a word in a line:
so there is a border where a scene begins, one where it is seen alone, and from there one every two seconds, which is
how often a player wants a key frame anyway. All are counted from the scene's own beginning, so that what becomes
longer or shorter before it moves them along with it.
"""

from collections.abc import Iterator
from itertools import pairwise

from fenta.render.timeline import FramePlan, Shot

SHORTEST_SECONDS, STEP_SECONDS = 1, 2
# In a film a decoder has to find its way from the key frame before.
FILMED_STEP_SECONDS = 4
# Of the shortest length. In a longer film all lengths are doubled until it has no more than that.
MOST_SEGMENTS = 300


def segments(plan: FramePlan) -> list[tuple[int, int]]:
    """Half-open frame ranges; they follow from the timeline alone, not from the machine."""
    return list(pairwise([0, *_borders(plan), plan.frames]))


def file_name(first: int) -> str:
    """The file of the segment that begins with this frame."""
    return f"segment-{first:06d}.mp4"


def _borders(plan: FramePlan) -> Iterator[int]:
    """Where it may be cut is cut when no segment becomes too short by it, and between those where one would be long."""
    second = plan.fps * _pace(plan)
    shortest, last = SHORTEST_SECONDS * second, 0
    for mark, step_seconds in _marks(plan, shortest):
        while mark - last > (step_seconds + SHORTEST_SECONDS) * second:
            last += step_seconds * second
            yield last
        if mark - last >= shortest and plan.frames - mark >= shortest:
            last = mark
            yield last


def _pace(plan: FramePlan) -> int:
    """A power of two, so that only a film that becomes twice as long is cut in another way."""
    most = MOST_SEGMENTS * SHORTEST_SECONDS * plan.fps
    return 1 << max(0, (plan.frames - 1) // most).bit_length()


def _marks(plan: FramePlan, shortest: int) -> Iterator[tuple[int, int]]:
    """Where scenes begin and where they are seen alone, each with the longest step up to there, in seconds."""
    ends = [*(_aligned(shot.first, plan.fps) for shot in plan.shots[1:]), plan.frames]
    begin = 0
    for shot, end in zip(plan.shots, ends, strict=True):
        step = _step_seconds(shot)
        alone = _aligned(begin + max(shot.fade, shortest), plan.fps)
        if shot.fade and end - alone >= shortest:
            yield alone, step
        yield end, step
        begin = end


def _step_seconds(shot: Shot) -> int:
    return FILMED_STEP_SECONDS if shot.filmed else STEP_SECONDS


def _aligned(frame: int, fps: int) -> int:
    """The first frame from this one on whose time is a whole centisecond. Caption files count those: cut anywhere else,
    a word would light up in a neighbouring frame."""
    return next(at for at in range(frame, frame + fps) if at * 100 % fps == 0)
