"""What is sealed comes back only unchanged, under its purpose and context, with a key that we still hold."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.crypto.sealing import SealBroken, Sealer


def key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


OLD, NEW = key(), key()
SEALER = Sealer([NEW])


@given(st.binary(max_size=2000), st.binary(max_size=40))
def test_what_is_sealed_opens_unchanged(plaintext: bytes, context: bytes) -> None:
    sealed = SEALER.seal(plaintext, purpose="login", context=context)

    assert SEALER.open(sealed, purpose="login", context=context) == plaintext


@given(st.data())
def test_one_changed_character_breaks_the_seal(data: st.DataObject) -> None:
    sealed = SEALER.seal(data.draw(st.sampled_from([b"12", b"123", b"1234"])), purpose="login")
    at = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ é"))
    changed = sealed[:at] + other + sealed[at + 1 :]
    if changed == sealed:
        return

    with pytest.raises(SealBroken):
        SEALER.open(changed, purpose="login")


@pytest.mark.parametrize(
    ("purpose", "context"),
    [pytest.param("session", b"a", id="another-purpose"), pytest.param("login", b"b", id="another-context")],
)
def test_a_value_sealed_for_one_use_does_not_open_as_another(purpose: str, context: bytes) -> None:
    sealed = SEALER.seal(b"x", purpose="login", context=b"a")

    with pytest.raises(SealBroken):
        SEALER.open(sealed, purpose=purpose, context=context)


@pytest.mark.parametrize("sealed", ["", "A", "AAAA", "=" * 40, "A" * 5000])
def test_nonsense_is_refused(sealed: str) -> None:
    with pytest.raises(SealBroken):
        SEALER.open(sealed, purpose="login")


def test_keys_rotate_without_breaking_what_is_out_there() -> None:
    sealed = Sealer([OLD]).seal(b"x", purpose="login")

    assert Sealer([NEW, OLD]).open(sealed, purpose="login") == b"x"
    with pytest.raises(SealBroken):
        Sealer([NEW]).open(sealed, purpose="login")
    with pytest.raises(SealBroken):
        Sealer([OLD]).open(Sealer([NEW, OLD]).seal(b"x", purpose="login"), purpose="login")


@pytest.mark.parametrize("bad", ["", "short", "é" * 43, base64.urlsafe_b64encode(b"x" * 31).decode()])
def test_a_key_of_another_length_is_refused_without_being_repeated(bad: str) -> None:
    with pytest.raises(ValueError, match="32 random bytes") as caught:
        Sealer([bad])
    assert not bad or bad not in str(caught.value)
