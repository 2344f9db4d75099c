"""Signature Version 4 as S3 uses it: is this request signed by the one key we know, and still valid?"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote, unquote

from .errors import Refused, access_denied

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
LONGEST_EXPIRY_SECONDS = 7 * 24 * 3600
CLOCK_SKEW = timedelta(minutes=15)
AUTHORIZATION = re.compile(
    ALGORITHM + r"\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})\Z"
)


class SignedRequest(NamedTuple):
    """What a signature covers: everything as it came over the wire."""

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]

    @property
    def query(self) -> list[tuple[str, str]]:
        """Decoded pairs in their order; a plus sign is a plus sign here."""
        pairs = [part.partition("=") for part in self.raw_query.split("&") if part]
        return [(unquote(name), unquote(value)) for name, _, value in pairs]


@dataclass(frozen=True)
class Claim:
    """What a request says of its own signature."""

    credential: str
    signed_headers: list[str]
    signature: str
    date: str
    payload_hash: str

    @property
    def scope(self) -> str:
        return self.credential.partition("/")[2]

    @property
    def access_key(self) -> str:
        return self.credential.partition("/")[0]

    @property
    def moment(self) -> datetime:
        try:
            return datetime.strptime(self.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise access_denied("X-Amz-Date is not a date.") from None


class Verifier:
    """Knows one access key."""

    def __init__(self, access_key: str, secret_key: str) -> None:
        self._access_key = access_key
        self._secret_key = secret_key

    def verify(self, request: SignedRequest, now: datetime) -> str:
        """Answers the hash of the signed body, or UNSIGNED; Refused unless the signature is right and fresh."""
        presigned = dict(request.query)
        claim = _claim_of_link(presigned) if "X-Amz-Signature" in presigned else _claim_of_header(request.headers)
        if claim.access_key != self._access_key:
            raise Refused(403, "InvalidAccessKeyId", "This store knows another access key.")
        if not hmac.compare_digest(self._signature(request, claim), claim.signature):
            raise Refused(403, "SignatureDoesNotMatch", "The signature does not fit the request and our key.")
        _check_time(claim, presigned.get("X-Amz-Expires"), now)
        return claim.payload_hash

    def _signature(self, request: SignedRequest, claim: Claim) -> str:
        canonical = hashlib.sha256(canonical_request(request, claim).encode()).hexdigest()
        text = "\n".join([ALGORITHM, claim.date, claim.scope, canonical])
        key = f"AWS4{self._secret_key}".encode()
        for part in claim.scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()


def canonical_request(request: SignedRequest, claim: Claim) -> str:
    """The text that both sides hash; the path is taken as sent, since S3 encodes it once only."""
    pairs = sorted((_encoded(name), _encoded(value)) for name, value in request.query if name != "X-Amz-Signature")
    query = "&".join(f"{name}={value}" for name, value in pairs)
    lines = [f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in claim.signed_headers]
    names = ";".join(claim.signed_headers)
    return "\n".join([request.method, request.raw_path, query, *lines, "", names, claim.payload_hash])


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _claim_of_link(query: Mapping[str, str]) -> Claim:
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise access_denied(f"Only {ALGORITHM} is known.")
    return Claim(
        credential=query.get("X-Amz-Credential", ""),
        signed_headers=_header_names(query.get("X-Amz-SignedHeaders", "")),
        signature=query["X-Amz-Signature"],
        date=query.get("X-Amz-Date", ""),
        payload_hash=UNSIGNED,
    )


def _claim_of_header(headers: Mapping[str, str]) -> Claim:
    match = AUTHORIZATION.match(headers.get("authorization", ""))
    if match is None:
        raise access_denied("The request is not signed.")
    return Claim(
        credential=match[1],
        signed_headers=_header_names(match[2]),
        signature=match[3],
        date=headers.get("x-amz-date", ""),
        payload_hash=headers.get("x-amz-content-sha256", UNSIGNED),
    )


def _header_names(text: str) -> list[str]:
    names = text.split(";")
    if "host" not in names:
        raise access_denied("The signature must cover the host.")
    return names


def _check_time(claim: Claim, expires: str | None, now: datetime) -> None:
    if not claim.scope.startswith(claim.date[:8]):
        raise access_denied("The credential is of another day.")
    if expires is None:
        if abs(now - claim.moment) > CLOCK_SKEW:
            raise Refused(403, "RequestTimeTooSkewed", "The request was signed more than 15 minutes ago or ahead.")
        return
    if not expires.isdigit() or int(expires) > LONGEST_EXPIRY_SECONDS:
        raise access_denied("X-Amz-Expires must be at most 7 days.")
    if not claim.moment - CLOCK_SKEW <= now <= claim.moment + timedelta(seconds=int(expires)):
        raise access_denied("Request has expired")
