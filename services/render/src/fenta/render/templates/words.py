"""What is heard and read in every template: captions that move with their speech, voices, music."""

from collections.abc import Sequence

from fenta.contracts.documents import Cue, MediaRef, Music, Speech, Word
from fenta.contracts.templates import Captions, Sound
from fenta.contracts.timeline import (
    AssetSource,
    AudioClip,
    AudioTrack,
    CaptionClip,
    CaptionTrack,
    CaptionWord,
    Duck,
    Track,
)
from fenta.render import subtitles
from fenta.render.templates.bindings import Bindings
from fenta.render.templates.spans import Span

CUE_CHARACTERS = 32


def captions(bindings: Bindings, look: Captions, found: Sequence[Span], font: AssetSource | None) -> list[Track]:
    file = bindings.subtitle_file
    clips = [clip for span in found for clip in _cues(bindings, span)]
    if file:
        clips = subtitles.clips(file.cues, found[-1].end_ms)
    burn = bindings.captions and look.shown
    if not clips and not burn:
        return []
    directions = {own.direction for own in bindings.subtitles.values()}
    return [
        CaptionTrack(
            id="s1",
            language=bindings.language or bindings.script.language,
            direction=directions.pop() if len(directions) == 1 else "auto",
            style=bindings.caption_style or look.style,
            colour=bindings.colour or look.colour,
            accent=bindings.accent or look.accent,
            centre_y=bindings.centre_y or look.centre_y,
            shade=look.shade,
            font=font,
            emoji=bindings.emoji,
            burn=burn,
            source=file.source if file else None,
            clips=clips,
        )
    ]


def _cues(bindings: Bindings, span: Span) -> list[CaptionClip]:
    own = bindings.subtitles.get(span.key)
    cues = own.cues if own else _cues_of(span.speech)
    ends = [*(cue.start_ms for cue in cues[1:]), span.end_ms - span.voice_ms]
    timed = [(cue, min(cue.end_ms, end)) for cue, end in zip(cues, ends, strict=False)]
    return [_cue(span, number, cue, end) for number, (cue, end) in enumerate(timed, start=1) if end > cue.start_ms]


def _cue(span: Span, number: int, cue: Cue, end_ms: int) -> CaptionClip:
    words = [
        CaptionWord(text=word.text, start_ms=word.start_ms + span.voice_ms, end_ms=word.end_ms + span.voice_ms)
        for word in cue.words
    ]
    return CaptionClip(
        id=f"{span.key}.{number}",
        scene=span.key,
        start_ms=cue.start_ms + span.voice_ms,
        duration_ms=end_ms - cue.start_ms,
        text=cue.text,
        words=words,
    )


def _cues_of(speech: Speech | None) -> list[Cue]:
    """Captions for a scene that came without any: its spoken words, a line at a time."""
    lines: list[list[Word]] = []
    for word in speech.words if speech else []:
        if lines and sum(len(other.text) + 1 for other in [*lines[-1], word]) <= CUE_CHARACTERS:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [
        Cue(
            start_ms=line[0].start_ms,
            end_ms=line[-1].end_ms,
            text=" ".join(word.text for word in line),
            words=line,
        )
        for line in lines
    ]


def voices(spans: Sequence[Span]) -> AudioTrack:
    clips = [
        AudioClip(
            id=f"voice_{span.key}",
            scene=span.key,
            start_ms=span.voice_ms,
            duration_ms=span.speech.duration_ms,
            source=_source(span.speech.audio, span.speech.duration_ms),
        )
        for span in spans
        if span.speech
    ]
    return AudioTrack(id="a1", role="voice", clips=clips)


def music(given: Music | None, sound: Sound, duration_ms: int) -> list[Track]:
    if given is None:
        return []
    clip = AudioClip(
        id="music",
        start_ms=0,
        duration_ms=duration_ms,
        source=_source(given.audio, given.duration_ms),
        loop=True,
        fade_in_ms=sound.fade_in_ms,
        fade_out_ms=sound.fade_out_ms,
    )
    return [AudioTrack(id="a2", role="music", gain_db=sound.gain_db, duck=Duck(db=sound.duck_db), clips=[clip])]


def _source(audio: MediaRef, duration_ms: int) -> AssetSource:
    return AssetSource(asset_id=audio.asset_id, sha256=audio.sha256, media="audio", duration_ms=duration_ms)
