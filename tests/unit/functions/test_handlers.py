"""The Lambda adapters: the same file for every function with routes."""

from __future__ import annotations

from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[3] / "functions"
# These serve plain events, without a web framework.
WITHOUT_ROUTES = {"authorizer", "migration_runner", "unknown_route"}
ADAPTER = b'''"""Lambda adapter."""

from tenantgate.web.lambda_adapter import lambda_handler_for

lambda_handler = lambda_handler_for(__package__)
'''


@pytest.mark.parametrize("routes", sorted(FUNCTIONS.glob("*/routes.py")), ids=lambda path: path.parent.name)
def test_the_adapter_is_the_same_everywhere(routes: Path) -> None:
    assert routes.with_name("handler.py").read_bytes() == ADAPTER


def test_every_other_function_serves_plain_events() -> None:
    with_routes = {path.parent.name for path in FUNCTIONS.glob("*/routes.py")}

    assert {path.parent.name for path in FUNCTIONS.glob("*/handler.py")} - with_routes == WITHOUT_ROUTES
