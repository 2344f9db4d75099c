"""How long a text takes to say, before anybody has said it."""

import re

from fenta.generation.punctuation import CLAUSE_ENDS, SENTENCE_ENDS

SENTENCE_PAUSE_SECONDS = 0.3
CLAUSE_PAUSE_SECONDS = 0.12
# A digit is written with one character and said with a whole word.
DIGIT_WEIGHT = 4.2

_SENTENCE_ENDS = re.compile(rf"[:{SENTENCE_ENDS}]+(?=\s)")
_CLAUSE_ENDS = re.compile(f"[{CLAUSE_ENDS}]")


def seconds(text: str, letters_per_second: float) -> float:
    """An estimate for the local voice at its usual pace."""
    digits = sum(character.isdigit() for character in text)
    letters = len(text) + digits * (DIGIT_WEIGHT - 1)
    pauses = len(_SENTENCE_ENDS.findall(text)) * SENTENCE_PAUSE_SECONDS
    pauses += len(_CLAUSE_ENDS.findall(text)) * CLAUSE_PAUSE_SECONDS
    return letters / letters_per_second + pauses if text else 0.0
