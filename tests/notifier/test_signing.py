"""Signatures, against a published vector and the receiver of our own documentation."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from fenta.notifier import signing

# The known answer of the Standard Webhooks reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def verify(headers: dict[str, str], body: bytes, secret: str) -> object:
    """The receiver of the public interface's five-minute tour, word for word."""
    sent_at = headers["webhook-timestamp"]
    if abs(time.time() - int(sent_at)) > 300:
        raise ValueError("too old, or from the future")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{sent_at}.".encode() + body
    good = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if not any(hmac.compare_digest(good, given) for given in headers["webhook-signature"].split()):
        raise ValueError("bad signature")
    return json.loads(body)


def test_the_published_vector_is_met() -> None:
    found = signing.standard_signature(SECRET, message_id=MESSAGE_ID, timestamp=TIMESTAMP, body=BODY)
    assert found == SIGNATURE


def test_a_receiver_accepts_what_is_signed_and_nothing_else() -> None:
    secret = signing.shown(signing.new_secret())
    headers = signing.headers(secret, message_id="evt_1", timestamp=int(time.time()), body=b'{"a":1}')
    assert verify(headers, b'{"a":1}', secret) == {"a": 1}
    for wrong in ({"webhook-id": "evt_2"}, {"webhook-timestamp": str(int(time.time()) - 1)}):
        with pytest.raises(ValueError, match="bad signature"):
            verify(headers | wrong, b'{"a":1}', secret)
    with pytest.raises(ValueError, match="bad signature"):
        verify(headers, b'{"a": 1}', secret)


def test_the_plain_signature_is_hex_over_the_body_with_the_whole_secret() -> None:
    headers = signing.headers(SECRET, message_id=MESSAGE_ID, timestamp=TIMESTAMP, body=BODY)
    assert headers["Fenta-Signature"] == hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()


def test_secrets_are_32_bytes_and_never_alike() -> None:
    secrets = {signing.shown(signing.new_secret()) for _ in range(100)}
    assert len(secrets) == 100
    assert {len(signing.key_of(secret)) for secret in secrets} == {32}


@pytest.mark.parametrize("wrong", ["", "MfKQ", "whsec_not base64", "whsec_ä"])
def test_a_malformed_secret_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="a secret"):
        signing.key_of(wrong)
