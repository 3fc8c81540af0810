"""Functions that SnapStart copies: nothing is drawn or read from the clock before the snapshot is taken.

All copies would have the same value: the same nonce, key or id.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import Stack, function_folder

DRAWN = {
    *("urandom", "getrandom", "token_bytes", "token_hex", "token_urlsafe", "randbits", "randbelow"),
    *("uuid1", "uuid4", "random", "uniform", "randint", "choice", "shuffle"),
    *("generate_key", "generate_private_key"),
    *("time", "time_ns", "monotonic", "perf_counter", "now", "utcnow"),
}
# Only for development, and never copied: see `SnapStart` of its function.
PROVIDER = ROOT / "layers" / "shared" / "tenantgate" / "openid_provider"


def calls_at_import(source: str) -> Iterator[str]:
    """Yield the calls that importing the module makes, also those of class bodies and default values."""
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending += [*node.decorator_list, *node.args.defaults, *(each for each in node.args.kw_defaults if each)]
        elif isinstance(node, ast.Lambda):
            pending += node.args.defaults
        else:
            pending += ast.iter_child_nodes(node)


def drawn(source: str) -> list[str]:
    # `func.now` is SQL, which PostgreSQL evaluates.
    return [call for call in calls_at_import(source) if call.rpartition(".")[2] in DRAWN and call != "func.now"]


def test_no_module_of_a_copied_function_draws_a_value_at_its_import(stack: Stack) -> None:
    copied = [name for name, function in stack.functions.items() if function["SnapStart"]["ApplyOn"] != "None"]
    folders = [ROOT / "functions" / function_folder(name) for name in copied]
    found = {
        str(path.relative_to(ROOT)): calls
        for folder in [*folders, ROOT / "layers" / "shared" / "tenantgate"]
        for path in sorted(folder.rglob("*.py"))
        if not path.is_relative_to(PROVIDER) and (calls := drawn(path.read_text(encoding="utf-8")))
    }

    assert len(copied) > 10
    assert not found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("KEY = os.urandom(32)", ["os.urandom"], id="a-constant"),
        pytest.param("class A:\n    nonce = token_bytes(12)", ["token_bytes"], id="a-class"),
        pytest.param("def f(now=time.time()): pass", ["time.time"], id="a-default-value"),
        pytest.param("if True:\n    RING = Ring(uuid.uuid4())", ["uuid.uuid4"], id="an-argument"),
        pytest.param("def f():\n    return os.urandom(32)", [], id="a-call-of-a-request"),
        pytest.param("clock = lambda: time.time()", [], id="a-function-for-later"),
    ],
)
def test_a_value_that_is_drawn_at_an_import_is_found(source: str, found: list[str]) -> None:
    assert drawn(source) == found
