"""A sealed value opens only unchanged, for its purpose and context, with one of the current keys."""

import base64
import logging
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.crypto.sealing import SealBroken, Sealer, new_sealing_key


def key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


OLD, NEW = key(), key()
SEALER = Sealer([NEW])


@given(st.binary(max_size=2000), st.binary(max_size=40))
def test_a_sealed_value_opens_unchanged(plaintext: bytes, context: bytes) -> None:
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
def test_a_malformed_value_is_refused(sealed: str) -> None:
    with pytest.raises(SealBroken):
        SEALER.open(sealed, purpose="login")


def test_values_sealed_before_a_rotation_still_open() -> None:
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


def test_a_sealer_needs_a_key() -> None:
    with pytest.raises(ValueError, match="at least one sealing key is needed; make one with: python3 -c"):
        Sealer([])


GUESSABLE = {
    "zeros": bytes(32),
    "ones": b"\xff" * 32,
    "one-byte": b"k" * 32,
    "a-repeated-word": b"secret--" * 4,
    "one-that-is-not-zero": bytes(31) + b"\x01",
    "counted": bytes(range(32)),
    "counted-down": bytes(range(131, 99, -1)),
    "counted-by-seven": bytes(7 * number % 256 for number in range(32)),
    "digits": b"01234567890123456789012345678901",
    "hexadecimal-text": b"0123456789abcdef" * 2,
    "an-alphabet": b"abcdefghijklmnopqrstuvwxyz012345",
    "a-sentence": b"this is a very secret sealing ke",
    "counted-in-two-parts": bytes([*range(1, 20), *range(200, 213)]),
}


@pytest.mark.parametrize("guessable", GUESSABLE.values(), ids=GUESSABLE)
@pytest.mark.parametrize("place", [0, 1])
def test_a_guessable_key_is_refused_with_the_remedy(guessable: bytes, place: int) -> None:
    bad = base64.urlsafe_b64encode(guessable).decode()
    keys = [NEW]
    keys.insert(place, bad)

    with pytest.raises(ValueError, match=f"key {place + 1} of 2: a sealing key must be random.*os.urandom") as caught:
        Sealer(keys)
    assert bad not in str(caught.value)
    assert NEW not in str(caught.value)


@pytest.mark.parametrize(
    "typed",
    [
        "A" * 43,
        "0" * 43,
        "_" * 42 + "8",
        "changeme" * 5 + "cha",
        "12345678" * 5 + "124",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopo",
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPA",
    ],
)
def test_a_typed_key_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="a sealing key") as caught:
        Sealer([typed])
    assert typed not in str(caught.value)


@given(st.binary(min_size=32, max_size=32))
def test_random_bytes_are_a_key(key: bytes) -> None:
    random = bytes(a ^ b for a, b in zip(key, os.urandom(32), strict=True))
    assert Sealer([base64.urlsafe_b64encode(random).decode()])


def test_the_documents_contain_no_usable_key() -> None:
    root = Path(__file__).parents[3]
    documents = [root / name for name in ("README.md", ".env.example", "template.yaml", "samconfig.toml")]
    examples = [file for file in root.glob("examples/**/*.*") if "__pycache__" not in file.parts]
    for document in [*documents, *root.glob("docs/**/*.md"), *examples]:
        for line in document.read_text(encoding="utf-8").splitlines():
            for word in re.findall(r"(?<![\w-])[A-Za-z0-9_-]{43}=?(?![\w-])", line) if "SEALING" in line else ():
                with pytest.raises(ValueError, match="a sealing key"):
                    Sealer([word])


def test_a_value_of_a_removed_key_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    removed, kept = (Sealer([new_sealing_key()], clock=lambda: now[0]) for _ in range(2))
    sealed = removed.seal(b"canary", purpose="login")
    for now[0] in (0.0, 1.0, 59.0, 60.0, 61.0):
        with pytest.raises(SealBroken):
            kept.open(sealed, purpose="login")
    message = (
        "sealed values were refused: no key of COOKIE_SEALING_KEYS has sealed them (a key that was removed, or a "
        "forgery)"
    )
    assert caplog.record_tuples == [("tenantgate.crypto.sealing", logging.WARNING, message)] * 2
    assert [record.__dict__["context"] for record in caplog.records] == [
        {"purpose": "login", "refused": 1},
        {"purpose": "login", "refused": 3},
    ]


@pytest.mark.parametrize("sealed", ["", "AQ", "garbage", "AQAAAAAAAAAA"])
def test_a_value_that_names_no_key_is_not_logged(caplog: pytest.LogCaptureFixture, sealed: str) -> None:
    with pytest.raises(SealBroken):
        Sealer([new_sealing_key()]).open(sealed, purpose="login")
    assert caplog.records == []
