"""The functions without routes: they serve plain events, without a web framework."""

from __future__ import annotations

from pathlib import Path

FUNCTIONS = Path(__file__).parents[3] / "functions"
WITHOUT_ROUTES = {
    "audit_seal",
    "authorizer",
    "migration_runner",
    "security_event_poll",
    "revocation_republisher",
    "audit_ingest",
    "session_sweep",
    "unknown_route",
}


def test_every_function_without_routes_serves_plain_events() -> None:
    with_routes = {path.parent.name for path in FUNCTIONS.glob("*/routes.py")}

    assert {path.parent.name for path in FUNCTIONS.glob("*/handler.py")} - with_routes == WITHOUT_ROUTES
