"""Secrets at rest."""

import base64
import os

import pytest

from fenta.notifier.sealing import CannotOpen, Keyring

OLD = f"k1:{base64.b64encode(os.urandom(32)).decode()}"
NEW = f"k2:{base64.b64encode(os.urandom(32)).decode()}"


def test_the_first_key_seals_and_all_open() -> None:
    before = Keyring(OLD).seal(b"secret", owner="org_1/hook_1")
    both = Keyring(f"{NEW}, {OLD}")
    assert both.open(before, owner="org_1/hook_1") == b"secret"
    assert both.seal(b"secret", owner="x").key_id == "k2"
    assert b"secret" not in before.box
    with pytest.raises(CannotOpen, match="no key k1"):
        Keyring(NEW).open(before, owner="org_1/hook_1")


def test_a_box_opens_for_its_own_row_alone() -> None:
    keyring = Keyring(OLD)
    sealed = keyring.seal(b"secret", owner="org_1/hook_1")
    with pytest.raises(CannotOpen):
        keyring.open(sealed, owner="org_2/hook_1")
    assert sealed.box != keyring.seal(b"secret", owner="org_1/hook_1").box


@pytest.mark.parametrize(
    "wrong", ["", "k1", "k1:", "k1:AAAA", pytest.param(":" + OLD[3:], id="nameless"), "k1:not base64!"]
)
def test_a_wrong_key_list_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Keyring(wrong)
