"""Signed statements: read as they were written, and only those of the right kind, log and key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.transparency.checkpoints import Checkpoint
from tenantgate.transparency.errors import NoteMalformed, NoteUnsigned, Unproven
from tenantgate.transparency.notes import VerifierKey, public_key
from tenantgate.transparency.statements import (
    Removed,
    SealedThrough,
    Statement,
    open_statement,
    statement_detail,
    statement_text,
)
from tenantgate.transparency.verification.sealed import SealedStatements

ORIGIN = "acme.example/audit/%3Adeployment"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1")
NUMBERS = st.integers(0, 2**62)
SEALED = SealedThrough(1_764_205_200_000_000, 1_764_204_900_000_000)


def detail(statement: Statement, *, origin: str = ORIGIN, text: str | None = None) -> str:
    signature = PRIVATE.sign((text or statement_text(origin, statement)).encode())
    return json.dumps(statement_detail(statement, public_key(origin, PRIVATE), signature))


def keys(origin: str = ORIGIN) -> list[VerifierKey]:
    return [public_key(origin, PRIVATE)]


@given(st.builds(SealedThrough, NUMBERS, NUMBERS) | st.builds(Removed, NUMBERS, NUMBERS, NUMBERS))
def test_reads_what_it_writes(statement: Statement) -> None:
    kind: Any = type(statement)
    assert open_statement(kind, detail(statement), keys()) == statement


def test_has_the_form_that_the_documentation_gives() -> None:
    assert statement_text(ORIGIN, SEALED) == f"{ORIGIN}\nsealed\n1764205200000000\n1764204900000000\n"


@pytest.mark.parametrize(
    "given_text",
    [
        pytest.param(statement_text("acme.example/audit/org-1", SEALED), id="of-another-log"),
        pytest.param(f"{ORIGIN}\nretention\n{SEALED.at}\n{SEALED.through}\n", id="of-another-kind"),
        pytest.param(Checkpoint(ORIGIN, SEALED.at, bytes(32)).text, id="of-a-checkpoint"),
        pytest.param(statement_text(ORIGIN, SEALED._replace(through=0)), id="of-another-number"),
    ],
)
def test_another_signature_does_not_serve(given_text: str) -> None:
    with pytest.raises(NoteUnsigned):
        open_statement(SealedThrough, detail(SEALED, text=given_text), keys())


def test_another_logs_statement_is_refused() -> None:
    with pytest.raises(NoteUnsigned):
        open_statement(SealedThrough, detail(SEALED), keys("acme.example/audit/org-1"))
    with pytest.raises(NoteUnsigned):
        open_statement(SealedThrough, detail(SEALED), [])


@pytest.mark.parametrize(
    "changes",
    [{"at": True}, {"at": None}, {"at": 1.0}, {"through": "1"}, {"signature": "A"}, {"signature": None}, {"at": [1]}],
)
def test_a_malformed_one_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(NoteMalformed):
        open_statement(SealedThrough, json.dumps(json.loads(detail(SEALED)) | changes), keys())


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[" * 100_000, '{"at": 1}'])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(Unproven):
        open_statement(SealedThrough, text, keys())


@given(st.lists(st.builds(SealedThrough, st.integers(0, 50), st.integers(0, 50))), st.integers(-1, 60))
def test_a_checkpoint_is_compared_with_the_statements_before_it(made: list[SealedThrough], moment: int) -> None:
    stated = SealedStatements()
    for statement in sorted(made):
        stated.add(statement)
    assert stated.through(moment) == max((one.through for one in made if one.at < moment), default=0)
