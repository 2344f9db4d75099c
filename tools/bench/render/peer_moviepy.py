"""The same film by MoviePy, as its pages recommend: moving pictures, cross-fades, lines of text, voice and music."""

import json
import sys
from typing import Any

from moviepy import AudioFileClip, CompositeAudioClip, CompositeVideoClip, ImageClip, TextClip, afx, vfx


def scene(found: Any, number: int, size: list[int], fps: int) -> Any:
    clip = ImageClip(found["file"]).with_duration(found["seconds"] + 0.5).with_fps(fps)
    zoomed = clip.with_effects([vfx.Resize(lambda now: 1.02 + 0.12 * now / found["seconds"])]).with_position("center")
    whole = CompositeVideoClip([zoomed], size=size).with_start(found["start"]).with_duration(found["seconds"] + 0.5)
    return whole.with_effects([vfx.CrossFadeIn(0.5)]) if number else whole


def caption(found: Any, font: str, size: list[int]) -> Any:
    text = TextClip(
        font=font, text=found["text"], font_size=86, color="white", stroke_color="black", stroke_width=6,
        method="caption", size=(size[0] * 8 // 10, None),
    )  # fmt: skip
    return text.with_start(found["start"]).with_duration(found["seconds"]).with_position(("center", 0.7), relative=True)


def main(spec: Any) -> None:
    size, fps = spec["size"], spec["fps"]
    clips = [scene(found, number, size, fps) for number, found in enumerate(spec["scenes"])]
    clips += [caption(found, spec["font"], size) for found in spec["captions"]]
    voice = [AudioFileClip(found["file"]).with_start(found["start"]) for found in spec["voice"]]
    music = AudioFileClip(spec["music"]).with_effects(
        [afx.AudioLoop(duration=spec["seconds"]), afx.MultiplyVolume(0.3)]
    )
    film = CompositeVideoClip(clips, size=size).with_duration(spec["seconds"])
    film = film.with_audio(CompositeAudioClip([music, *voice]).with_duration(spec["seconds"]))
    encoder = spec["encoder"]
    film.write_videofile(
        spec["out"], fps=fps, codec=encoder["c:v"], preset=encoder["preset"], audio_codec="aac", threads=1, logger=None,
        ffmpeg_params=["-crf", str(encoder["crf"]), "-pix_fmt", "yuv420p"],
    )  # fmt: skip


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
