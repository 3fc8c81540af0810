"""Another team's example stack behind the authorizer, run as its README describes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tenantgate.openid_provider.storage.demo import DEMO_TENANT_ID, DEMO_USER_ID, PERSONAS
from tests.fixtures.stack.commands import ROOT, RunningStack, dev_stack, start_command

EXAMPLE = ROOT / "examples" / "guarded_api"
ROUTES = {"GET /orders": 200, "GET /orders/7": 200, "POST /orders": 403, "GET /status": 200}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the example, so that a test may change it."""
    return shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("team") / "guarded_api")


@pytest.fixture(scope="module")
def stack(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with dev_stack(tmp_path_factory.mktemp("data"), "--with", str(example / "template.yaml")) as running:
        yield running


def minted(stack: RunningStack, *options: str) -> str:
    command = [sys.executable, "-m", "tenantgate_cli", "token", "--data-dir", str(stack.data_dir), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def token(stack: RunningStack) -> str:
    return minted(stack)


def address(stack: RunningStack, api: str) -> str:
    (line,) = (line for line in stack.ready_lines if f"({api}, " in line)
    return line.split()[1]


@pytest.fixture(params=["OrdersRestApi", "OrdersHttpApi"])
def api(request: pytest.FixtureRequest, stack: RunningStack) -> str:
    return address(stack, request.param)


def ask(api: str, request: str, token: str | None = None) -> httpx2.Response:
    method, path = request.split()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx2.request(method, f"{api}{path}", headers=headers, timeout=30, trust_env=False)


def test_the_ready_lines_name_each_api(stack: RunningStack) -> None:
    assert len(stack.ready_lines) <= 15
    port = int(stack.url.rpartition(":")[2])
    addresses = [address(stack, name) for name in ("OrdersRestApi", "OrdersHttpApi")]
    assert addresses[0].endswith("/v1")
    assert address(stack, "ChatApi").startswith("ws://localhost:")
    assert all(url.startswith("http://localhost:") and f":{port}" not in url for url in addresses)


def test_a_token_opens_its_routes_and_no_others_in_any_order(api: str, token: str) -> None:
    for request in (*ROUTES, *reversed(ROUTES), *ROUTES):
        assert (request, ask(api, request, token).status_code) == (request, ROUTES[request])


# Before the tests that change the rules.
def test_the_smoke_test_finds_the_denial_of_a_missing_scope(api: str, token: str, stack: RunningStack) -> None:
    command = [sys.executable, "-m", "tenantgate_cli", "smoke", stack.url, "--data-dir", str(stack.data_dir), "--json"]
    # A busy machine starts the functions slowly; the limits themselves have their own tests.
    command += ["--timeout", "60"]
    done = subprocess.run(
        [*command, "--scoped", f"POST {api}/orders"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    (line,) = (check for check in json.loads(done.stdout)["checks"] if check["check"] == "missing scope")
    assert (line["status"], line["found"].split(",")[0]) == ("ok", "401 without a token")


def test_the_backend_knows_user_and_tenant_without_reading_a_token(api: str, token: str) -> None:
    said = ask(api, "GET /orders/7", token).json()
    assert said["order"] == "three apples"
    assert said["tenant_id"] == DEMO_TENANT_ID
    assert said["user_id"]
    assert "openid" in said["scopes"]


@pytest.mark.parametrize("wrong", [None, "x.y.z"], ids=["without", "forged"])
def test_only_open_routes_pass_without_a_valid_token(api: str, wrong: str | None) -> None:
    for request in ROUTES:
        response = ask(api, request, wrong)
        assert response.status_code == (200 if request == "GET /status" else 401)


def test_the_bodies_that_a_client_receives(stack: RunningStack, token: str) -> None:
    rest, http = address(stack, "OrdersRestApi"), address(stack, "OrdersHttpApi")
    refused = ask(rest, "GET /orders")
    assert refused.json() == {"message": "Unauthorized", "request_id": refused.headers["x-amzn-requestid"]}
    assert refused.headers["www-authenticate"] == "Bearer"
    denied = ask(rest, "POST /orders", token)
    assert denied.json()["message"].startswith("User is not authorized to access this resource")
    assert ask(http, "GET /orders").json() == {"message": "Unauthorized"}
    assert ask(http, "POST /orders", token).json() == {"message": "Forbidden"}
    assert ask(rest, "GET /nothing", token).status_code == 403
    assert ask(http, "GET /nothing", token).status_code == 404


@pytest.mark.parametrize("name", ["OrdersRestApi", "OrdersHttpApi"])
def test_a_denial_has_its_receipt_under_the_id_that_the_client_sees(stack: RunningStack, token: str, name: str) -> None:
    # Another spelling of the same credential, so that no cached response with an earlier request id exists.
    headers = {"authorization": f"BEARER {token}"}
    response = httpx2.post(f"{address(stack, name)}/orders", headers=headers, timeout=30, trust_env=False)
    request_id = response.headers["x-amzn-requestid" if name == "OrdersRestApi" else "apigw-requestid"]
    log = (stack.data_dir / "logs" / "AuthorizerFunction.log").read_text()
    (line,) = (line for line in log.splitlines() if request_id in line and '"message":"denied"' in line)
    assert "orders:write" in line
    assert token not in log


def test_our_own_api_still_works(stack: RunningStack, token: str) -> None:
    assert ask(stack.url, "GET /api/v1/auth/me", token).status_code == 200
    assert ask(stack.url, "GET /orders", token).status_code == 404


def test_an_unsafe_cache_stops_the_start_in_words(example: Path, tmp_path: Path) -> None:
    unsafe = shutil.copytree(example, tmp_path / "guarded_api") / "template.yaml"
    unsafe.write_text(unsafe.read_text().replace("Context: [routeKey]", "Context: []"))
    started = start_command("dev", tmp_path / "data", "--with", str(unsafe))
    assert started.stop(0, seconds=90) == 1
    first = next(number for number, line in enumerate(started.lines) if line.startswith("✗ "))
    place, _, problem = started.lines[first].partition(": authorizer ")
    assert place.startswith(f"✗ {unsafe}:")
    assert problem.startswith("Tenantgate of OrdersHttpApi caches results for 60 s, each of which is for one route")
    assert started.lines[first + 1].startswith("  → add $context.routeKey to the identity source (Context: [routeKey])")
    assert started.lines[first + 2] == "  → correct this, then start again"


def test_a_token_with_the_scope_of_a_route_opens_it(api: str, stack: RunningStack) -> None:
    assert ask(api, "POST /orders", minted(stack, "--scope", "orders:write")).status_code == 201
    assert ask(api, "POST /orders", minted(stack, "--scope", "orders:read")).status_code == 403


def test_the_backend_sees_the_user_and_tenant_of_the_token(api: str, stack: RunningStack) -> None:
    outsider = PERSONAS[2]
    said = ask(api, "GET /orders/7", minted(stack, "--user", outsider.email)).json()
    assert (said["user_id"], said["tenant_id"]) == (outsider.id, outsider.tenant_id)
    said = ask(api, "GET /orders/7", minted(stack, "--tenant", "other")).json()
    assert (said["user_id"], said["tenant_id"]) == (DEMO_USER_ID, outsider.tenant_id)


def restarts(stack: RunningStack) -> int:
    return sum(line.startswith("changed: rules.toml; restarting: AuthorizerFunction") for line in stack.lines)


def test_changed_rules_apply_at_once(stack: RunningStack, example: Path, token: str) -> None:
    rest = address(stack, "OrdersRestApi")
    rules = example / "rules.toml"
    rules.write_text(rules.read_text().replace('scopes = ["orders:write"]', 'scopes = ["openid"]'))
    stack.wait_for_line(lambda line: line.startswith("changed: rules.toml; restarting: AuthorizerFunction"))
    # Another spelling of the same credential has no cached response.
    response = httpx2.post(f"{rest}/orders", headers={"authorization": f"bearer {token}"}, timeout=30, trust_env=False)
    assert response.status_code == 201


def test_a_rule_with_a_role_admits_only_users_with_it(stack: RunningStack, example: Path) -> None:
    rest = address(stack, "OrdersRestApi")
    rules = example / "rules.toml"
    # An earlier test may have changed the rules, too.
    earlier = restarts(stack)
    rules.write_text(rules.read_text().replace('route = "GET /orders"', 'route = "GET /orders"\nroles = ["clerk"]'))
    stack.wait_for_line(lambda _: restarts(stack) > earlier)
    for options, status in (
        ([], 200),
        (["--role", "clerk"], 200),
        (["--role", "admin"], 403),
        (["--user", "Demo Member"], 403),
    ):
        assert (options, ask(rest, "GET /orders", minted(stack, *options)).status_code) == (options, status)


def test_rules_that_leave_a_route_without_one_are_noticed_while_it_runs(stack: RunningStack, example: Path) -> None:
    rules = example / "rules.toml"
    rules.write_text(rules.read_text().replace('route = "$connect"', 'route = "GET /other"'))
    line = stack.wait_for_line(lambda line: "$connect is behind authorizer" in line)
    assert line.startswith(f"! {example / 'template.yaml'}:")
    assert line.endswith("ChatAuthorizer of ChatApi, and no rule matches it: all its requests would be denied")
    remedy = '  → add [[api.route]] route = "$connect" to the rules of "chat over WebSocket"'
    assert stack.wait_for_line(lambda line: line == remedy)
