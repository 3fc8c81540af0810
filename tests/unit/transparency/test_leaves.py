"""Leaves: every column is in the hash, in bytes that no other row has."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.audit.tables import AuditEventRow
from tenantgate.transparency.errors import LeafMalformed
from tenantgate.transparency.leaves import COLUMNS, MAX_LEAF_BYTES, canonical_json, leaf_data, read_leaf

ROW: dict[str, str | None] = {
    "id": "11111111-2222-4333-8444-555555555555",
    "tenant_id": "org-1",
    "event_type": "AUTH_LOGOUT",
    "outcome": "success",
    "actor": "user",
    "resource_type": "session",
    "resource_id": "s-1",
    "request_id": "r-1",
    "session_id": "99999999-2222-4333-8444-555555555555",
    "user_digest": "ab" * 32,
    "encrypted_user": "e1.user",
    "encrypted_detail": "e1.detail",
    "detail": '{"reason": "sign_out"}',
    "occurred_at": "1764201600000000",
    "created_at": "1764201600000001",
    "updated_at": "1764201600000002",
}
DATA = leaf_data(ROW)
LETTERS = "ab\0\x02ü{"
TEXTS = st.none() | st.text(LETTERS, max_size=4)
ROWS = st.fixed_dictionaries({**dict.fromkeys(COLUMNS, TEXTS), "detail": st.none() | st.just('{"a":1}')})


def test_every_column_of_the_table_is_in_the_leaf() -> None:
    assert set(COLUMNS) == set(AuditEventRow.__table__.columns.keys())


@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_of_any_column_changes_the_leaf(column: str) -> None:
    value = ROW[column]
    assert value is not None
    other = '{"reason": "ended"}' if column == "detail" else f"{value}x"
    changed = {leaf_data({**ROW, column: one}) for one in (other, "", None)}
    assert len({DATA, *changed}) == 4


def test_the_bytes_of_a_row_stay_the_same_in_each_release() -> None:
    small = {**dict.fromkeys(COLUMNS), "id": "1", "tenant_id": "", "detail": '{"b": [1, "ü"], "a": null}'}
    assert leaf_data(small) == (
        b"tenantgate-audit-event/1\n"
        b"\0\0\0\2id\0\0\0\0011"
        b"\0\0\0\ttenant_id\0\0\0\0"
        b'\0\0\0\6detail\0\0\0\x1b{"a":null,"b":[1,"\\u00fc"]}'
    )


@given(ROWS, ROWS)
def test_no_two_rows_have_the_same_leaf(one: dict[str, str | None], other: dict[str, str | None]) -> None:
    assert (leaf_data(one) == leaf_data(other)) == (one == other)
    assert read_leaf(leaf_data(one)) == one


@given(st.dictionaries(st.text(LETTERS), st.text(LETTERS) | st.integers() | st.lists(st.text(LETTERS))))
def test_the_detail_does_not_depend_on_spelling_or_order(detail: dict[str, object]) -> None:
    spaced = json.dumps(dict(reversed(detail.items())), indent=2, ensure_ascii=False)
    assert canonical_json(spaced) == canonical_json(json.dumps(detail))
    assert canonical_json(canonical_json(spaced)) == canonical_json(spaced)
    assert json.loads(canonical_json(spaced)) == detail


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param('{"sessions": 1.5}', id="fraction"),
        pytest.param('{"sessions": 1.0}', id="whole-fraction"),
        pytest.param(f'{{"sessions": {"9" * 5000}}}', id="huge"),
        pytest.param("[" * 200_000 + "]" * 200_000, id="deep"),
        pytest.param("NaN", id="not-json"),
    ],
)
def test_every_detail_has_its_own_leaf(odd: str) -> None:
    data = leaf_data({**ROW, "detail": odd})
    assert canonical_json(odd) == canonical_json(canonical_json(odd)) == f"!{odd}"
    assert read_leaf(data)["detail"] == f"!{odd}"
    assert data not in {leaf_data({**ROW, "detail": text}) for text in ('{"sessions": 1}', "{}", json.dumps(odd))}


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(DATA[:-1], id="truncated"),
        pytest.param(DATA[:30], id="truncated-in-a-name"),
        pytest.param(DATA[:27], id="truncated-in-a-length"),
        pytest.param(DATA + b"\0", id="a-byte-more"),
        pytest.param(DATA + b"\0\0\0\1x\0\0\0\0", id="an-unknown-column"),
        pytest.param(DATA + b"\0\0\0\2id\0\0\0\0011", id="a-column-twice"),
        pytest.param(DATA.replace(b"event/1", b"event/2"), id="another-version"),
        pytest.param(DATA.replace(b"org-1", b"org-\xff"), id="not-utf-8"),
        pytest.param(DATA.replace(b'{"reason":"sign_out"}', b'{"reason": "signout"}'), id="another-spelling"),
        pytest.param(DATA + bytes(MAX_LEAF_BYTES), id="oversized"),
    ],
)
def test_reads_no_other_bytes(forged: bytes) -> None:
    with pytest.raises(LeafMalformed):
        read_leaf(forged)


def test_a_missing_column_is_an_error_and_not_null() -> None:
    with pytest.raises(KeyError):
        leaf_data({name: value for name, value in ROW.items() if name != "actor"})
