"""What films cost, and how good they are: `make bench-render`. All ratios are of CPU time of whole process trees,
taken in one run; wall time is not judged, because the machine may be shared.

The reference is a film of 60 s, 1080x1920 at 30 frames a second: twelve pictures under moving cameras, a transition
between any two, karaoke captions, a voice, and music that steps back under it.
"""

import tempfile
from pathlib import Path
from typing import Any

from tools.bench.render import cost, edits, peers, quality
from tools.bench.render.reference import Reference


def run() -> list[dict[str, Any]]:
    """About half an hour on two idle cores, and 6 GB of disk."""
    with tempfile.TemporaryDirectory(prefix="fenta-bench-") as name:
        reference = Reference(Path(name))
        return [
            *cost.results(reference),
            *edits.results(reference),
            *quality.results(reference),
            *peers.results(reference),
        ]
