"""Each time limit is declared once, used by a client, and in the table of docs/RELIABILITY.md."""

from __future__ import annotations

import re

import pytest

from tenantgate import time_limits
from tenantgate_cli.paths import ROOT

NAMES = sorted(name for name in vars(time_limits) if name.isupper())
PRODUCT = ROOT / "layers" / "shared" / "tenantgate"
USED = "\n".join(path.read_text(encoding="utf-8") for path in PRODUCT.rglob("*.py"))
TABLE = (ROOT / "cli" / "tenantgate_cli" / "generate" / "time_limits.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_client_uses_it_and_the_table_has_it(name: str) -> None:
    assert re.search(rf"\btime_limits\.{name}\b", USED)
    assert re.search(rf"\blimits\.{name}\b", TABLE)


def test_the_module_costs_the_authorizer_nothing_else() -> None:
    source = (PRODUCT / "time_limits.py").read_text(encoding="utf-8")
    assert "import" not in re.sub(r"#.*", "", source)
    assert all(isinstance(getattr(time_limits, name), (int, float)) for name in NAMES)
