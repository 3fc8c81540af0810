"""The verifier with three kinds of input: a token's text, header and payload to sign, and all three parts."""

from __future__ import annotations

from random import Random

from fuzz.building import Base, Bases, Case, b64, joined, json_bytes, with_signature
from fuzz.judge import Judge
from fuzz.targets import Target, Try
from fuzz.values import ALGORITHMS, KIDS, NAMES_OF_CLAIMS, TYPES
from fuzz.world import FIRST, SECOND
from tenantgate.tokens.jws import decode_base64url

# No JSON in UTF-8 has this byte.
_BETWEEN = b"\xff"
_TEXT, _SIGNED, _SECOND_SIGNED, _UNSIGNED = b"T", b"S", b"2", b"U"


def _case(data: bytes) -> Case:
    how, rest = data[:1], data[1:]
    parts = rest.split(_BETWEEN, 2)
    if how in (_SIGNED, _SECOND_SIGNED) and len(parts) == 2:
        issuer = FIRST if how == _SIGNED else SECOND
        signing_input = joined(*parts)
        return Case(with_signature(signing_input, issuer.keys["EdDSA"], "EdDSA"), signing_input)
    if how == _UNSIGNED and len(parts) == 3:
        return Case(".".join(map(b64, parts)))
    return Case(rest.decode("latin-1"))


def _bases() -> list[Base]:
    return [base for base in Bases(Random(0)).every if base.alg in ("EdDSA", "ES256")]  # noqa: S311


def _prepare() -> Try:
    judge = Judge()
    known = {base.token.rpartition(".")[0]: base for base in _bases()}

    def try_bytes(data: bytes) -> None:
        case = _case(data)
        # A forgery has a different signing input from every known token.
        base = known.get(case.token.rpartition(".")[0], next(iter(known.values())))
        judge.try_token(case, base)

    return try_bytes


def _seeds() -> list[bytes]:
    seeds = []
    for base in _bases():
        parts = [json_bytes(base.header), json_bytes(base.claims)]
        if base.alg == "EdDSA":
            seeds.append((_SIGNED if base.issuer is FIRST else _SECOND_SIGNED) + _BETWEEN.join(parts))
        seeds.append(_TEXT + base.token.encode())
        seeds.append(_UNSIGNED + _BETWEEN.join([*parts, decode_base64url(base.segments[2], "signature")]))
    return seeds


_WORDS = tuple(f'"{word}"' for word in (*NAMES_OF_CLAIMS, *ALGORITHMS, *KIDS, *TYPES) if str(word).isprintable())
TARGET = Target("verifier", _prepare, _seeds, (*_WORDS, "1790000000", "1790000600", "null", "true", "[]", "{}"))
