"""The product's statements, as its modules hold them: constant, short, and without session state."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tenantgate
from tests.fixtures.databases.recording_proxy import Sent
from tests.fixtures.isolation.pinning import pins, pins_as_text
from tests.fixtures.isolation.statements import product_statements

CODE = Path(tenantgate.__file__).parent
CALLS = ("execute", "fetch_one", "fetch_all")


def composed(source: str) -> Iterator[int]:
    """Yield the lines on which a unit of work runs a statement that is not a constant."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS:
            statement = node.args[0] if node.args else None
            on_unit = isinstance(node.func.value, ast.Name) and node.func.value.id in ("unit", "transaction")
            if on_unit and not (isinstance(statement, ast.Name) and statement.id.isupper()):
                yield node.lineno


def test_statements_are_constants() -> None:
    """No value becomes part of a statement's text: an attacker that writes SQL can enter any tenant."""
    found = {str(path.relative_to(CODE)): list(composed(path.read_text())) for path in CODE.rglob("*.py")}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "call", ['unit.execute(f"SELECT {x}")', 'unit.fetch_one("SELECT 1" + x)', "unit.fetch_all(statement)"]
)
def test_a_composed_statement_is_found(call: str) -> None:
    assert list(composed(f"async def f(unit, x, statement):\n    await {call}")) == [2]


def test_no_statement_pins_a_connection() -> None:
    statements = product_statements()
    assert {"sessions.repository._OVERDUE", "openid_provider.storage.repository._REDEEM_CODE"} <= statements.keys()
    assert {name: found for name, text in statements.items() if (found := pins_as_text(text))} == {}


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (Sent("", "query", "", "SET search_path TO x"), "set"),
        (Sent("", "query", "", " /* a */ set local x = 1"), "set"),
        (Sent("", "query", "", "SELECT 1; RESET ALL"), "reset"),
        (Sent("", "query", "", "DISCARD ALL"), "discard"),
        (Sent("", "query", "", "PREPARE x AS SELECT 1"), "prepare"),
        (Sent("", "query", "", "DEALLOCATE ALL"), "deallocate"),
        (Sent("", "query", "", "LISTEN x"), "listen"),
        (Sent("", "query", "", "DECLARE c CURSOR WITH HOLD FOR SELECT 1"), "declare"),
        (Sent("", "query", "", "create temporary table x ()"), "create temporary"),
        (Sent("", "query", "", "SELECT 1 INTO TEMP x"), "temp"),
        (Sent("", "query", "", "LOCK sessions"), "lock"),
        (Sent("", "parse", "", "SELECT set_config('x', $1, false)"), "set_config beyond the transaction"),
        (Sent("", "parse", "", "SELECT set_config('x', $1, $2)"), "set_config beyond the transaction"),
        (
            Sent("", "parse", "", "SELECT set_config('x', $1, true), set_config('y', '', false)"),
            "set_config beyond the transaction",
        ),
        (Sent("", "parse", "", "INSERT INTO x VALUES (nextval('s'))"), "nextval"),
        (Sent("", "parse", "", "SELECT pg_advisory_xact_lock(1)"), "pg_advisory_xact_lock"),
        (Sent("", "parse", "", "SELECT pg_try_advisory_lock (1)"), "pg_try_advisory_lock"),
        (Sent("", "parse", "__asyncpg_stmt_1__", "SELECT 1"), "a prepared statement with a name, __asyncpg_stmt_1__"),
        (Sent("", "bind", "s1", ""), "a prepared statement with a name, s1"),
        (Sent("", "call", "", ""), "a function call of the protocol"),
        (Sent("", "startup", "options", "-c jit=off"), "a session that starts with options"),
        (Sent("", "parse", "", f"SELECT '{'x' * 16 * 1024}'"), "a statement of 16393 bytes"),
        (Sent("", "parse", "", "SELECT 'SET x', 'nextval(' FROM settings WHERE \"set\" = 1 -- ; RESET"), None),
        (Sent("", "parse", "", "UPDATE sessions SET version = version + 1"), None),
        (Sent("", "parse", "", "SELECT set_config('tenantgate.tenant_id', lower($1), true)"), None),
        (Sent("", "query", "", "BEGIN;"), None),
        (
            Sent("", "query", "", "BEGIN; SELECT set_config('t', convert_from(decode('6f', 'hex'), 'UTF8'), true);"),
            None,
        ),
        (
            Sent("", "query", "", "BEGIN; SELECT set_config('t', convert_from(decode('6f', 'hex'), 'UTF8'), false);"),
            "set_config beyond the transaction",
        ),
        (Sent("", "startup", "application_name", "tenantgate"), None),
    ],
)
def test_what_pins_a_connection(sent: Sent, reason: str | None) -> None:
    assert pins(sent) == reason
