"""Entries of the ledger, as they are anchored."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from tenantgate.privacy.models import LedgerEntry, LedgerFormatError

ENTRY = LedgerEntry(UUID(int=1), "org-1", (UUID(int=2), UUID(int=3)), 1_800_000_000)


def test_an_entry_is_read_as_it_was_written() -> None:
    assert LedgerEntry.from_json(ENTRY.to_json()) == ENTRY
    assert LedgerEntry.from_json(LedgerEntry(ENTRY.id, "org-1", (), 0).to_json()).key_ids == ()


def test_an_entry_names_no_person() -> None:
    assert json.loads(ENTRY.to_json()).keys() == {"form", "id", "tenant_id", "key_ids", "erased_at"}


@pytest.mark.parametrize(
    "changes",
    [
        {"form": 2},
        {"id": "x"},
        {"id": 7},
        {"tenant_id": ""},
        {"tenant_id": None},
        {"key_ids": None},
        {"key_ids": ["x"]},
        {"key_ids": [1]},
        {"erased_at": "1800000000"},
        {"erased_at": True},
        {"more": 1},
    ],
    ids=str,
)
def test_another_form_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(LedgerFormatError):
        LedgerEntry.from_json(json.dumps(json.loads(ENTRY.to_json()) | changes).encode())


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"null", b"\xff", b"[" * 100_000], ids=["empty", "list", "null", "bytes", "deep"]
)
def test_what_isnt_an_entry_is_refused(raw: bytes) -> None:
    with pytest.raises(LedgerFormatError):
        LedgerEntry.from_json(raw)
