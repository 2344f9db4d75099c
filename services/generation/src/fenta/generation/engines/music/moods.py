"""What each style is made of: tempo, harmony and who plays; and which words ask for it."""

from dataclasses import dataclass

Chord = tuple[int, ...]


@dataclass(frozen=True)
class Mood:
    """`chords` are semitones above the key, one chord a bar; levels from 0 to 1 say how loud each voice is."""

    beats_per_minute: float
    chords: tuple[Chord, ...]
    scale: tuple[int, ...]
    pad: float
    strings: float = 0.0
    pluck: float = 0.0
    bell: float = 0.0
    bass: float = 0.0
    kick: float = 0.0
    drum: float = 0.0
    clap: float = 0.0
    shaker: float = 0.0
    riser: float = 0.0
    plucks_per_beat: int = 2


MAJOR_PENTATONIC = (0, 2, 4, 7, 9)
MINOR_PENTATONIC = (0, 3, 5, 7, 10)

MOODS: dict[str, Mood] = {
    "ambient": Mood(
        beats_per_minute=72,
        chords=((0, 4, 7, 11), (-3, 0, 4, 7), (5, 9, 12, 16), (-5, 0, 2, 7)),
        scale=MAJOR_PENTATONIC,
        pad=0.9, pluck=0.35, bell=0.5, bass=0.5, shaker=0.10, kick=0.22, plucks_per_beat=2,
    ),
    "upbeat": Mood(
        beats_per_minute=112,
        chords=((0, 4, 7, 12), (-5, -1, 2, 7), (-3, 0, 4, 9), (-7, -3, 0, 5)),
        scale=MAJOR_PENTATONIC,
        pad=0.5, pluck=0.75, bell=0.35, bass=0.75, kick=0.7, clap=0.32, shaker=0.4, plucks_per_beat=2,
    ),
    "dramatic": Mood(
        beats_per_minute=84,
        chords=((0, 3, 7, 12), (-4, 0, 3, 8), (3, 7, 10, 15), (-2, 2, 5, 10)),
        scale=MINOR_PENTATONIC,
        pad=0.6, strings=0.6, bell=0.25, bass=0.8, drum=0.75, shaker=0.06, plucks_per_beat=2,
    ),
    "podcast_intro": Mood(
        beats_per_minute=98,
        chords=((2, 5, 9, 12), (-5, -1, 2, 5), (0, 4, 7, 11), (-3, 0, 4, 7)),
        scale=MAJOR_PENTATONIC,
        pad=0.4, pluck=0.8, bell=0.2, bass=0.8, kick=0.6, clap=0.26, shaker=0.45, plucks_per_beat=2,
    ),
    "transition": Mood(
        beats_per_minute=96,
        chords=((0, 5, 7, 12), (0, 4, 7, 12)),
        scale=MAJOR_PENTATONIC,
        pad=0.9, bell=0.6, bass=0.5, riser=0.5, drum=0.3,
    ),
}  # fmt: skip

_WORDS = {
    "ambient": "calm soft quiet warm relax gentle dream night space curious wonder sleep slow ruhig tranquil هادئ",
    "upbeat": "happy bright energ playful fun summer dance joy fast lively fröhlich joyeux allegr مرح",
    "dramatic": "drama epic serious dark tense war history sad ernst grave سيري درامي",
    "podcast_intro": "podcast intro news talk tech business",
    "transition": "transition sting jingle",
}


def mood_named(style: str, prompt: str) -> str:
    """The style itself where there is one, else the style that the words ask for."""
    if style in MOODS:
        return style
    text = f"{style} {prompt}".casefold()
    return max(_WORDS, key=lambda name: sum(word in text for word in _WORDS[name].split()))
