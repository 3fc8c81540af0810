"""The memory that verified tokens take: limited in bytes, for tokens with any content."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable
from itertools import product
from random import Random
from string import ascii_letters, digits

import pytest

from tenantgate.tokens import access_token
from tenantgate.tokens.access_token import read_scopes
from tenantgate.tokens.jws import MAX_TOKEN_LENGTH
from tenantgate.tokens.verifier import MEMO_CHARACTERS, MEMO_SIZE
from tests.fixtures.tokens.issuer import ISSUER, good_claims, sign_raw, static_verifier

# Words of two letters take the most memory for their length: each is an object, and an entry of a set.
WORDS = ["".join(pair) for pair in product(ascii_letters + digits, repeat=2)][:3800]


def _token(number: int, changes: dict[str, object] | None = None) -> str:
    payload = json.dumps(good_claims(jti=str(number)) | (changes or {}), separators=(",", ":"))
    return sign_raw('{"alg":"EdDSA","kid":"ed25519-1","typ":"at+jwt"}', payload, "EdDSA")


def _scopes(number: int) -> dict[str, object]:
    words = WORDS.copy()
    Random(number).shuffle(words)
    return {"scope": " ".join(words)}


@pytest.mark.parametrize(
    "claims_of",
    [
        pytest.param(_scopes, id="short-scopes"),
        pytest.param(lambda _: {"extra": [{"a": 0}] * 1400}, id="small-objects"),
        pytest.param(lambda _: {"extra": [[0]] * 2700}, id="small-lists"),
        pytest.param(lambda _: {"extra": "x" * 11000}, id="one-text"),
    ],
)
def test_tokens_of_16_kb_hold_no_more_than_25_mb(claims_of: Callable[[int], dict[str, object]]) -> None:
    tokens = [_token(number, claims_of(number)) for number in range(150)]
    assert 14000 < len(tokens[-1]) <= MAX_TOKEN_LENGTH
    verifier = static_verifier()
    verifier.verify(tokens.pop())
    tracemalloc.start()
    try:
        while tokens:
            verifier.verify(tokens.pop())
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 25e6
    finally:
        tracemalloc.stop()
    assert sum(map(len, verifier._memo)) <= MEMO_CHARACTERS
    assert sum(map(len, verifier._older_memo)) <= MEMO_CHARACTERS


def test_ordinary_tokens_are_bounded_by_their_number() -> None:
    verifier = static_verifier()
    tokens = [_token(number) for number in range(MEMO_SIZE)]
    first = [verifier.verify(token) for token in tokens]
    assert all(verifier.verify(token) is answer for token, answer in zip(tokens, first, strict=True))


def test_scope_texts_are_kept_while_they_are_short_and_few(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, frozenset[str]] = {}
    monkeypatch.setattr(access_token, "_split_before", kept)
    issuer = static_verifier()._issuers[ISSUER]
    long = " ".join(WORDS)
    assert read_scopes({"scope": long}, issuer) == set(WORDS)
    assert kept == {}
    short = "orders:read orders:write"
    assert read_scopes({"scope": short}, issuer) is read_scopes({"scope": short}, issuer)
    for number in range(1000):
        read_scopes({"scope": f"{number} " + "a" * 500}, issuer)
    assert len(kept) <= 256
    assert max(map(len, kept)) <= 512


def test_headers_are_kept_while_they_are_few() -> None:
    verifier = static_verifier()
    for number in range(200):
        header = json.dumps({"alg": "EdDSA", "kid": "ed25519-1", "typ": "at+jwt", "x": f"{number}" + "x" * 2500})
        verifier.verify(sign_raw(header, json.dumps(good_claims(jti=str(number))), "EdDSA"))
    assert sum(map(len, verifier._headers)) <= 64 * 4096
