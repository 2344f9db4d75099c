"""Beside us in the same run: MoviePy and plain ffmpeg, which make the same 20 seconds as well as they can.

MoviePy is a script of its own, run by the interpreter of the peers' environment; without it, it is not measured.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import ffmpeg

from fenta.contracts.timeline import Timeline
from fenta.render.captions.faces import FOLDER
from fenta.render.timeline import burned, picture_tracks, sounds
from tools.bench.page import result
from tools.bench.render.meter import cpu, ratios
from tools.bench.render.reference import CANVAS, PLAIN, Reference

ENVIRONMENT = Path(__file__).parents[3] / ".venv-peers"
SCENES = 4
ROUNDS = 3


def results(reference: Reference) -> list[dict[str, Any]]:
    film = reference.film(SCENES)
    work = {"zoompan": lambda: _zoompan(reference, film)}
    if (ENVIRONMENT / "bin/python").exists():
        work["moviepy"] = lambda: _moviepy(reference, film)
    ours: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        ours.append(cpu(reference.render, film))
        for name, made in work.items():
            theirs[name].append(cpu(made))
    found = [
        result("render.zoompan", "ffmpeg's zoompan alone, pictures only / ours, CPU", ratios(theirs["zoompan"], ours))
    ]
    if "moviepy" in theirs:
        what = "MoviePy doing the same 20 s / ours, CPU"
        found.append(result("render.moviepy", what, ratios(theirs["moviepy"], ours), goal=">= 5"))
    return found


def _zoompan(reference: Reference, film: Timeline) -> None:
    """The usual recipe: it shakes, and has neither captions nor sound."""
    streams = []
    for clip in picture_tracks(film)[0].clips:
        picture = ffmpeg.input(_picture(reference, clip)).video
        frames = film.frame(clip.duration_ms)
        streams.append(
            picture.zoompan(zoom="min(zoom+0.0008,1.12)", d=str(frames), s=f"{CANVAS.width}x{CANVAS.height}", fps="30")
        )
    joined = ffmpeg.filters.concat(*streams, n=len(streams), v=1, a=0).video(0).format(pix_fmts="yuv420p")
    reference.run(ffmpeg.output(joined, filename="zoompan.mp4", extra_options=PLAIN))


def _moviepy(reference: Reference, film: Timeline) -> None:
    files, voices = reference.shelf.files, [track for track in sounds(film) if track.role == "voice"]
    music = next(track for track in sounds(film) if track.role == "music")
    spec = {
        "size": [CANVAS.width, CANVAS.height],
        "fps": film.fps,
        "seconds": film.duration_ms / 1000,
        "font": str(next(FOLDER.glob("NotoSans-*.ttf"))),
        "scenes": [_timed(clip) | {"file": _picture(reference, clip)} for clip in picture_tracks(film)[0].clips],
        "captions": [_timed(clip) | {"text": clip.text} for clip in burned(film)],
        "voice": [_timed(clip) | {"file": str(files[clip.source.sha256])} for track in voices for clip in track.clips],
        "music": str(files[music.clips[0].source.sha256]),
        "encoder": PLAIN,
        "out": str(reference.folder / "moviepy.mp4"),
    }
    script = Path(__file__).with_name("peer_moviepy.py")
    command = [str(ENVIRONMENT / "bin/python"), str(script), json.dumps(spec)]
    # It leaves files of its own where it stands.
    subprocess.run(command, check=True, capture_output=True, cwd=reference.folder)


def _picture(reference: Reference, clip: Any) -> str:
    return str(reference.shelf.files[clip.source.sha256])


def _timed(clip: Any) -> dict[str, float]:
    return {"start": clip.start_ms / 1000, "seconds": clip.duration_ms / 1000}
