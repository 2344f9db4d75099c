"""The offline writer: a script from given facts, in six languages; and a storyboard from a script."""

import re
from pathlib import Path

from fenta.contracts.documents import Script, Segment
from fenta.generation.engines.writer.brief import Brief, checked, knows_facts
from fenta.generation.engines.writer.framing import Draft, framed
from fenta.generation.providers.products import Product
from fenta.generation.providers.requests import ScriptRequest

__all__ = ["knows_facts", "make", "write"]

MOST_NOUNS = 7
SHORTEST_NOUN = 3


def make(request: ScriptRequest, _folder: Path) -> Product:
    """A script document and no files."""
    return Product(document=write(request).model_dump(mode="json"))


def write(request: ScriptRequest) -> Script:
    """Raises InvalidRequest for a brief that cannot become a script."""
    brief = checked(request)
    return _timed(brief, framed(brief))


def _timed(brief: Brief, draft: Draft) -> Script:
    intro = " ".join(draft.intro)
    clock = draft.length(draft.hook) + draft.length(intro) + brief.pause_seconds
    segments = []
    for number, told in enumerate(draft.segments, start=1):
        content = " ".join(told)
        end = clock + draft.length(content)
        about = content if number <= len(brief.facts) else brief.topic
        segments.append(_segment(f"s{number}", content, _seen(brief, about), clock, end))
        clock = end + brief.pause_seconds
    return Script(
        title=brief.title,
        topic=brief.topic,
        hook=draft.hook,
        intro=intro,
        segments=segments,
        outro=draft.outro,
        cta=draft.cta,
        language=brief.language,
        duration_ms=round(draft.seconds() * 1000),
    )


def _segment(name: str, content: str, seen: str, start: float, end: float) -> Segment:
    return Segment(
        id=name, start_ms=round(start * 1000), end_ms=round(end * 1000), content=content, visual_direction=seen
    )


def _seen(brief: Brief, about: str) -> str:
    """What a picture for these words could show."""
    return ", ".join(nouns(brief, about)) or brief.title


def nouns(brief: Brief, content: str) -> list[str]:
    """The words that name things, as far as one can tell without a dictionary: long ones that join nothing."""
    words = re.findall(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*", content)
    telling = [word for word in words if len(word) >= SHORTEST_NOUN and word.casefold() not in brief.phrases.stop_words]
    return list(dict.fromkeys(telling))[:MOST_NOUNS]
