"""Chooses the sentences around the facts: a hook that suits the topic, and as many others as there is time for."""

from dataclasses import dataclass, field

from fenta.generation.engines.writer import pace
from fenta.generation.engines.writer.brief import Brief, sentence
from fenta.generation.punctuation import QUESTION_MARKS, SENTENCE_ENDS

LONGEST_SPOKEN_TOPIC = 90
# What an estimate may be wrong by; the video should rather be a little short than too long.
FILL = 0.93
# Between a sentence that stands alone, with a short tail, and one that another follows, with a whole pause.
TAIL_SECONDS = 0.2


@dataclass
class Draft:
    """A script in the making: facts per segment, and how much time is left."""

    brief: Brief
    segments: list[list[str]]
    hook: str = ""
    intro: list[str] = field(default_factory=list)
    outro: str = ""
    cta: str = ""

    def seconds(self) -> float:
        texts = [self.hook, *self.intro, *(" ".join(told) for told in self.segments), self.outro, self.cta]
        spoken = sum(self.length(text) for text in texts)
        return spoken + (len(self.segments) + 1) * self.brief.pause_seconds

    def length(self, text: str) -> float:
        return pace.seconds(text, self.brief.phrases.letters_per_second) + (TAIL_SECONDS if text else 0)

    def room(self) -> float:
        return self.brief.seconds * FILL - self.seconds()

    def longest_fitting(self, texts: tuple[str, ...]) -> str:
        """The longest of the texts that there is time for, or nothing."""
        room = self.room()
        return max((text for text in texts if self.length(text) <= room), key=len, default="")


def framed(brief: Brief) -> Draft:
    """Facts first; then the frame around them, the most useful sentences first."""
    draft = Draft(brief, _grouped(brief.facts, brief.segments))
    draft.hook = _hook(draft)
    if brief.facts:
        _close(draft)
        _open(draft)
    else:
        _point_the_way(draft)
        draft.cta = draft.longest_fitting(brief.phrases.calls[:1])
    _look(draft)
    _bridge(draft)
    draft.outro = draft.outro or draft.longest_fitting(brief.phrases.outros[2:])
    if brief.lively:
        draft.cta = draft.cta.replace(".", "!")
    return draft


def _grouped(facts: list[str], most: int) -> list[list[str]]:
    """Neighbouring facts share a segment when there are more facts than segments, as evenly as they fall."""
    count = min(most, len(facts))
    return [facts[len(facts) * index // count : len(facts) * (index + 1) // count] for index in range(count)]


def _hook(draft: Draft) -> str:
    candidates = _hooks(draft.brief)
    fitting = [hook for hook in candidates if draft.length(hook) <= max(draft.brief.hook_seconds + 1.5, 2.0)]
    affordable = [hook for hook in fitting if draft.length(hook) <= draft.room()]
    return next(iter(affordable or fitting[-1:]), min(candidates, key=len))


def _hooks(brief: Brief) -> list[str]:
    """Hooks that suit the topic, the best one first."""
    phrases = brief.phrases
    plain = sorted(phrases.plain_hooks, key=len, reverse=True)
    if len(brief.topic) > LONGEST_SPOKEN_TOPIC:
        return plain
    topic = brief.topic.rstrip(f" :{SENTENCE_ENDS}")
    if is_question(brief):
        return [sentence(brief.topic) if brief.topic[-1] in QUESTION_MARKS else f"{topic}?", *plain]
    if asks(brief):
        return [phrases.wonder.format(question=_lowered(topic)), *plain]
    return [*(text.format(topic=topic) for text in phrases.statement), *plain]


def asks(brief: Brief) -> bool:
    """Whether the topic opens with a question word, as in *Why the sky is blue*."""
    return brief.topic.split(maxsplit=1)[0].casefold() in brief.phrases.question_words


def is_question(brief: Brief) -> bool:
    """Whether the topic is a whole question, as in *Why is the sky blue*."""
    words = brief.topic.casefold().split()
    return brief.topic[-1] in QUESTION_MARKS or (asks(brief) and len(words) > 1 and words[1] in brief.phrases.turned)


def _lowered(topic: str) -> str:
    return topic[0].lower() + topic[1:]


def _close(draft: Draft) -> None:
    phrases = draft.brief.phrases
    answered = asks(draft.brief) and not is_question(draft.brief) and len(draft.brief.topic) <= LONGEST_SPOKEN_TOPIC
    answer = (
        phrases.answer.format(question=_lowered(draft.brief.topic.rstrip(f" :{SENTENCE_ENDS}"))) if answered else ""
    )
    draft.outro = draft.longest_fitting((answer,) if answer else phrases.outros[:1])
    draft.outro = draft.outro or draft.longest_fitting(phrases.outros[:1])
    draft.cta = draft.longest_fitting(phrases.calls[:1])


def _open(draft: Draft) -> None:
    if draft.brief.audience:
        line = draft.longest_fitting((draft.brief.phrases.audience.format(audience=draft.brief.audience),))
        draft.intro += [line] if line else []
    intro = draft.longest_fitting(draft.brief.phrases.intros)
    draft.intro += [intro] if intro else []


def _point_the_way(draft: Draft) -> None:
    way = draft.brief.phrases.way
    if draft.room() > draft.length(way) + 2 * draft.length(draft.brief.phrases.looks[0]):
        draft.intro = [way]


def _look(draft: Draft) -> None:
    """Segments that say how to look at the matter, where the facts leave time."""
    told: list[str] = []
    for text in draft.brief.phrases.looks:
        gap = draft.brief.pause_seconds * (len(told) + 1)
        used = sum(draft.length(other) for other in told) + gap
        if len(told) > 0 and used + draft.length(text) > draft.room():
            break
        told.append(text)
    free = draft.brief.segments - len(draft.segments)
    enough = not draft.brief.facts or draft.room() > 2 * draft.length(told[0])
    if free > 0 and enough:
        draft.segments += _grouped(told, free)


def _bridge(draft: Draft) -> None:
    """A breath after a fact, where time is left; never the same one twice."""
    left = list(draft.brief.phrases.bridges)
    for told in draft.segments[: len(draft.brief.facts)]:
        bridge = draft.longest_fitting(tuple(left))
        if bridge:
            told.append(bridge)
            left.remove(bridge)
