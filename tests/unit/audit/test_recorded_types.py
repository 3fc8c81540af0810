"""Each declared event type has a test that drives its real flow, over the gateway and in the container."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from tenantgate.audit.types import EVENT_TYPES

_TESTS = Path(__file__).parents[2]
# Neither serves the commands of operators and the schedule of the sealer: each has its own test.
_NOT_SERVED = {
    "AUDIT_RETENTION": "integration/transparency/test_removal.py",
    "AUDIT_SEALED": "integration/transparency/test_stating.py",
    "DATA_MODIFIED": "functional/command_line/test_data_keys.py",
}
_BOTH = 'params=["gateway", "container"]'


def marked() -> dict[str, list[str]]:
    """Return the tests with the mark `records`, by the types that they name."""
    found = defaultdict(list)
    for path in _TESTS.rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        if "mark.records(" not in text or path == Path(__file__):
            continue
        for function in ast.walk(ast.parse(text)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for mark in function.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.records":
                    assert _BOTH in text, f"{path.name} runs on one of gateway and container"
                    for name in mark.args:
                        found[ast.literal_eval(name)].append(f"{path.relative_to(_TESTS)}::{function.name}")
    return found


def test_each_declared_type_is_recorded_by_a_real_flow() -> None:
    found = marked()
    # Mark the test that drives the flow: `@pytest.mark.records("TYPE")` (tests/fixtures/audit/recording.py).
    assert sorted(EVENT_TYPES.keys() - found - _NOT_SERVED.keys()) == [], "declared, and recorded by no test"
    assert all(event in (_TESTS / path).read_text(encoding="utf-8") for event, path in _NOT_SERVED.items())
    assert sorted(found.keys() - EVENT_TYPES) == [], "recorded by a test, and not declared"
