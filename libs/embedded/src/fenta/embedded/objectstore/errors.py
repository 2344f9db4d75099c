"""Refusals as S3 words them."""

from collections.abc import Mapping


class Refused(Exception):
    """Answered with this status and S3's own code for it."""

    def __init__(self, status: int, code: str, sentence: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {sentence}")
        self.status = status
        self.code = code
        self.sentence = sentence
        self.headers = headers or {}


def access_denied(sentence: str) -> Refused:
    return Refused(403, "AccessDenied", sentence)


def invalid(sentence: str, code: str = "InvalidArgument") -> Refused:
    return Refused(400, code, sentence)
