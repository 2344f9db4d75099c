"""Checks a brief and brings its texts into a shape that can be spoken."""

import math
from dataclasses import dataclass

from fenta.contracts.voices import known_language
from fenta.generation.engines.cleaning import cleaned
from fenta.generation.engines.writer.phrases import LANGUAGES, Phrases
from fenta.generation.providers import InvalidRequest
from fenta.generation.providers.requests import ScriptRequest
from fenta.generation.punctuation import CLOSING_QUOTES, SENTENCE_ENDS

LONGEST_TOPIC, LONGEST_POINT, MOST_POINTS = 2000, 300, 20
LONGEST_VIDEO_SECONDS = 3600
SECONDS_PER_SEGMENT = 6
MOST_SEGMENTS = 40
LONGEST_TITLE = 80
_LIVELY = ("energetic", "playful", "fun", "upbeat", "lively", "enthusias")


@dataclass(frozen=True)
class Brief:
    """What is to be written; all texts are clean, each fact is one or more whole sentences."""

    topic: str
    title: str
    facts: list[str]
    seconds: float
    segments: int
    hook_seconds: float
    pause_seconds: float
    language: str
    phrases: Phrases
    audience: str
    lively: bool


def checked(request: ScriptRequest) -> Brief:
    """Raises InvalidRequest with a sentence for anything that cannot become a script."""
    language = _language(request.language)
    topic = _spoken(request.topic, "topic", LONGEST_TOPIC)
    seconds = _seconds(request.duration_seconds)
    return Brief(
        topic=topic,
        title=_title(topic),
        facts=_facts(request.points),
        seconds=seconds,
        segments=min(MOST_SEGMENTS, request.max_segments or math.ceil(seconds / SECONDS_PER_SEGMENT)),
        hook_seconds=request.hook_seconds,
        pause_seconds=request.pause_ms / 1000,
        language=language,
        phrases=LANGUAGES[language],
        audience=_short(request.audience),
        lively=any(word in request.tone.casefold() for word in _LIVELY),
    )


def knows_facts(request: ScriptRequest) -> bool:
    """Whether the script will say anything about its topic: the offline writer only tells what it is given."""
    return any(_is_spoken(cleaned(point)) for point in request.points)


def _language(tag: str) -> str:
    language = known_language(tag)
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise InvalidRequest(
            "language_unsupported", f"The offline writer does not write {tag[:40]!r}.", f"It writes {known}."
        )
    return language


def _seconds(seconds: float) -> float:
    if not math.isfinite(seconds) or not 1 <= seconds <= LONGEST_VIDEO_SECONDS:
        raise InvalidRequest("duration_invalid", f"A video lasts from 1 to {LONGEST_VIDEO_SECONDS} seconds.")
    return seconds


def _spoken(text: str, name: str, longest: int) -> str:
    if len(text) > longest * 4:
        raise InvalidRequest(f"{name}_too_long", f"The {name} has more than {longest} characters.")
    plain = cleaned(text)
    if len(plain) > longest:
        raise InvalidRequest(f"{name}_too_long", f"The {name} has more than {longest} characters.")
    if not _is_spoken(plain):
        raise InvalidRequest(f"{name}_empty", f"The {name} has no words.", "Use letters or digits.")
    return plain


def _facts(points: list[str]) -> list[str]:
    if len(points) > MOST_POINTS:
        raise InvalidRequest("points_too_many", f"A brief takes at most {MOST_POINTS} points.")
    return [sentence(_spoken(point, "point", LONGEST_POINT)) for point in points]


def sentence(text: str) -> str:
    """The text with a full stop, unless it ends like a sentence already."""
    return text if text.rstrip(CLOSING_QUOTES).endswith(tuple(SENTENCE_ENDS)) else f"{text}."


def _title(topic: str) -> str:
    title = topic if len(topic) <= LONGEST_TITLE else f"{topic[:LONGEST_TITLE].rsplit(' ', 1)[0]}…"
    return (title[0].upper() + title[1:]).rstrip(" .")


def _short(audience: str) -> str:
    plain = cleaned(audience).rstrip(".!? ")
    return plain if _is_spoken(plain) and len(plain) <= 60 else ""


def _is_spoken(text: str) -> bool:
    return any(character.isalnum() for character in text)
