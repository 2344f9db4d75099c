"""What must be known of a film before it is decoded: whether its light goes beyond what a screen of BT.709 shows."""

from pathlib import Path

import av

from fenta.render import sniffing
from fenta.render.errors import RenderRefused

# PQ and HLG.
_BRIGHTER = {16, 18}
# Frames that say that they are interlaced become whole ones; all others pass as they are.
WHOLE = "yadif=deint=interlaced"
# Highlights are bent, not cut off; colours that BT.709 has stay what they are.
TONED = (
    "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
)


def is_brighter(path: Path, clip_id: str) -> bool:
    """Whether the film has a high dynamic range. Raises RenderRefused `source_invalid` when there is no picture."""
    try:
        with av.open(str(path), format=sniffing.demuxer(path, clip_id), options=sniffing.GUARDS) as container:
            sniffing.require_modest(container, clip_id)
            return int(container.streams.video[0].codec_context.color_trc) in _BRIGHTER
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise unreadable(clip_id) from error


def unreadable(clip_id: str) -> RenderRefused:
    return RenderRefused("source_invalid", f"The film of clip {clip_id} cannot be read.")


def endless(clip_id: str) -> RenderRefused:
    return RenderRefused(
        "source_invalid", f"The film of clip {clip_id} takes too long to read.", "Encode it again, in a usual form."
    )
