import ast

import pytest

from container.app import ROUTERS, container_app
from tenantgate.settings.model import Settings, SettingsError
from tenantgate_cli.commands.sam import ROOT

VARIABLES = {
    "ENVIRONMENT": "production",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "DATABASE_URL": "postgresql://app:password@db.example.com/tenantgate?sslmode=verify-full",
    "OIDC_ISSUER_URL": "https://issuer.example.com",
    "OIDC_CLIENT_ID": "tenantgate",
}


def test_every_functions_routes_are_mounted() -> None:
    source = ast.parse((ROOT / "container" / "app.py").read_text(encoding="utf-8"))
    imported = {
        node.module
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("functions.")
    }

    folders = sorted(path.parent.name for path in ROOT.glob("functions/*/routes.py"))
    assert sorted(imported) == [f"functions.{folder}.routes" for folder in folders]
    assert len({id(router) for router in ROUTERS}) == len(folders)


@pytest.mark.parametrize(("environment", "served"), [("development", True), ("production", False)])
def test_docs_are_served_in_development_alone(environment: str, served: bool) -> None:
    app = container_app(Settings.from_mapping(VARIABLES | {"ENVIRONMENT": environment}))

    assert any(getattr(route, "path", "") == "/docs" for route in app.routes) == served


def test_a_container_without_a_database_never_serves() -> None:
    without = {name: value for name, value in VARIABLES.items() if name != "DATABASE_URL"}

    with pytest.raises(SettingsError, match="DATABASE_URL"):
        container_app(Settings.from_mapping(without))
