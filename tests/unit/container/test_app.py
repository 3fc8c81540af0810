import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import iscoroutinefunction
from pathlib import Path

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from container.app import container_app, function_routers
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate_cli.paths import ROOT

VARIABLES = {
    "ENVIRONMENT": "production",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "DATABASE_URL": "postgresql://app:password@db.example.com/tenantgate?sslmode=verify-full",
    "OIDC_ISSUER_URL": "https://issuer.example.com",
    "OIDC_CLIENT_ID": "tenantgate",
}


def test_the_routes_of_every_function_are_mounted_in_the_order_of_their_names() -> None:
    folders = sorted(path.parent.name for path in ROOT.glob("functions/*/routes.py"))
    mounted = [import_module(f"functions.{folder}.routes").router for folder in folders]

    assert list(function_routers()) == mounted
    assert len(mounted) > 1


def test_no_endpoint_or_dependency_takes_a_thread() -> None:
    # FastAPI runs any other function in a pool of threads, which costs more than most of them do.
    def calls(dependant: Dependant) -> Iterator[Callable[..., object]]:
        if dependant.call is not None:
            yield dependant.call
        for dependency in dependant.dependencies:
            yield from calls(dependency)

    routes = [route for router in function_routers() for route in router.routes if isinstance(route, APIRoute)]
    called = {call for route in routes for call in calls(route.dependant)}

    assert len(called) > len(routes) > 10
    assert [call for call in called if not iscoroutinefunction(call)] == []


@pytest.mark.parametrize(("url", "notes"), [("", 1), ("rediss://:password@cache.example.com", 0)])
def test_the_start_says_that_cookies_need_the_cache(capsys: pytest.CaptureFixture[str], url: str, notes: int) -> None:
    container_app(Settings.from_mapping({**VARIABLES, "REDIS_URL": url}))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["level"], line["message"]) for line in lines if "REDIS_URL" in line["message"]] == [
        (
            "WARNING",
            (
                "REDIS_URL is not set: no session cookie passes the authorizer, and it accepts a revoked token until "
                "that expires; the rest works from PostgreSQL"
            ),
        )
    ] * notes


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("", id="none"),
        pytest.param("router = None", id="of-another-type"),
    ],
)
def test_a_module_without_a_router_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    folder = tmp_path / "functions" / "test_half_done"
    folder.mkdir(parents=True)
    (folder / "routes.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "functions.test_half_done", raising=False)
    monkeypatch.delitem(sys.modules, "functions.test_half_done.routes", raising=False)

    with pytest.raises(RuntimeError, match=re.escape("functions/test_half_done/routes.py has no `router`")):
        function_routers(tmp_path / "functions")


def test_an_image_without_functions_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"has no routes\.py"):
        function_routers(tmp_path)


def test_the_application_finds_its_routes_in_a_copy_of_the_tree(tmp_path: Path) -> None:
    for name in ("container", "functions", "layers/shared/tenantgate"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    found = "from container.app import function_routers; print([len(r.routes) for r in function_routers()])"

    run = subprocess.run(
        [sys.executable, "-c", found],
        cwd="/",
        env={"PYTHONPATH": f"{tmp_path}:{tmp_path / 'layers' / 'shared'}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stdout) == (0, f"{[len(router.routes) for router in function_routers()]}\n"), run.stderr


@pytest.mark.parametrize(("environment", "served"), [("development", True), ("production", False)])
def test_docs_are_served_only_in_development(environment: str, served: bool) -> None:
    app = container_app(Settings.from_mapping(VARIABLES | {"ENVIRONMENT": environment}))

    assert any(getattr(route, "path", "") == "/docs" for route in app.routes) == served


def test_a_container_without_a_database_does_not_start() -> None:
    without = {name: value for name, value in VARIABLES.items() if name != "DATABASE_URL"}

    with pytest.raises(SettingsError, match="DATABASE_URL"):
        container_app(Settings.from_mapping(without))


def test_a_limit_of_an_unknown_route_stops_the_start() -> None:
    container_app(
        Settings.from_mapping(VARIABLES | {"RATE_LIMITS": "DELETE /api/v1/auth/sessions/{session_id}=9/minute"})
    )
    container_app(Settings.from_mapping(VARIABLES | {"RATE_LIMITS": "ANY /api/v1/auth/callback=9/minute"}))

    for route in ("GET /api/v1/auth/log-in", "PUT /api/v1/auth/login", "GET /api/v1/auth/login/"):
        with pytest.raises(SettingsError, match=rf"RATE_LIMITS .*: names {route}, but this API has no such route"):
            container_app(Settings.from_mapping(VARIABLES | {"RATE_LIMITS": f"{route}=9/minute"}))


@pytest.mark.parametrize(
    ("variables", "warnings"),
    [
        pytest.param({}, 1, id="proxy-that-is-not-named"),
        pytest.param({"TRUSTED_PROXIES": "10.0.0.0/8"}, 0, id="named-proxy"),
        pytest.param({"RATE_LIMITS": "off"}, 0, id="no-limits"),
        pytest.param({"ENVIRONMENT": "test"}, 0, id="defaults-of-tests"),
        pytest.param(
            {"ENVIRONMENT": "test", "RATE_LIMITS": "address=9/minute", "PUBLIC_BASE_URL": "http://localhost:8000"},
            0,
            id="without-a-proxy",
        ),
    ],
)
def test_the_start_says_that_a_proxy_hides_its_clients(
    capsys: pytest.CaptureFixture[str], variables: dict[str, str], warnings: int
) -> None:
    container_app(Settings.from_mapping(VARIABLES | variables))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = [line["level"] for line in lines if "TRUSTED_PROXIES is not set" in line["message"]]
    assert found == ["WARNING"] * warnings
