"""`tenantgate dev --with`: what the developer of a guarded API sees of denied requests, and can ask about them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.fixtures.stack.commands import ROOT, RunningStack, dev_stack
from tests.functional.gateway.test_dev import command


@dataclass
class Guarded:
    """A running stack with a copy of the example, its APIs' addresses, and a token of the demo user."""

    stack: RunningStack
    rules: Path
    http: str
    rest: str
    token: str

    def send(self, method: str, url: str, token: str | None = None) -> httpx2.Response:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx2.request(method, url, headers=headers, timeout=30, trust_env=False)

    def line(self, pattern: str) -> str:
        """Wait for a line of exactly this form."""
        return self.stack.wait_for_line(lambda line: re.fullmatch(pattern, line) is not None)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("denied")
    example = folder / "example"
    shutil.copytree(ROOT / "examples" / "guarded_api", example)
    with dev_stack(folder / "data", "--with", str(example / "template.yaml")) as stack:
        urls = dict(re.findall(r"guarded +(\S+)  \((\w+),", "\n".join(stack.ready_lines)))
        ids = {name: url for url, name in urls.items()}
        token = command("token", "--data-dir", str(stack.data_dir)).stdout.strip()
        yield Guarded(stack, example / "rules.toml", ids["OrdersHttpApi"], ids["OrdersRestApi"], token)


def test_a_missing_credential_never_reached_the_authorizer(guarded: Guarded) -> None:
    denied = guarded.send("GET", f"{guarded.http}/orders")
    assert denied.status_code == 401
    request_id = re.escape(denied.headers["apigw-requestid"])
    words = "401 from the gateway: the Authorization header is missing, so the authorizer didn't run"
    guarded.line(rf"GET     /orders  {words}  \d+ ms  {request_id}")


def test_a_denial_has_its_reason_and_then_the_cache_has_it(guarded: Guarded) -> None:
    denied = guarded.send("POST", f"{guarded.http}/orders", guarded.token)
    assert denied.status_code == 403
    assert denied.json() == {"message": "Forbidden"}
    request_id = re.escape(denied.headers["apigw-requestid"])
    reason = r'missing_scope \(orders:write\) by "POST /orders"'
    guarded.line(rf"POST    /orders  403 denied: {reason}  \d+ ms  {request_id}")
    assert guarded.send("POST", f"{guarded.http}/orders", guarded.token).status_code == 403
    guarded.line(rf"POST    /orders  403 from the authorizer's cache, \d+ s left: {reason}  \d+ ms  \S+=")
    assert not any("OrdersFunction" in line for line in guarded.stack.lines if line.startswith("POST    /orders"))


def test_a_denial_is_explained_by_the_id_that_the_client_got(guarded: Guarded) -> None:
    denied = guarded.send("DELETE", f"{guarded.http}/orders", guarded.token)
    assert denied.status_code == 404
    denied = guarded.send("POST", f"{guarded.http}/orders", guarded.token)
    request_id = denied.headers["apigw-requestid"]
    guarded.line(rf"POST    /orders  403 .*  {re.escape(request_id)}")
    explained = command("explain", "--request", request_id, "--data-dir", str(guarded.stack.data_dir))
    assert (explained.returncode, explained.stderr) == (0, "")
    lines = explained.stdout.splitlines()
    assert lines[0] == f"POST /orders, 403, request {request_id}"
    assert "  rule      POST /orders" in lines
    assert "  expected  the rule's scopes, all of: orders:write" in lines
    assert any(line.startswith("  actual    the token's scopes: email, openid") for line in lines)
    assert not any(part in explained.stdout for part in guarded.token.split("."))


def test_the_lines_of_a_request_come_from_all_functions(guarded: Guarded) -> None:
    mine = "request-of-the-client"
    headers = {"authorization": f"Bearer {guarded.token}", "x-request-id": mine}
    url = f"{guarded.stack.url}/api/v1/auth/me"
    response = httpx2.get(url, headers=headers, timeout=30, trust_env=False)
    assert (response.status_code, response.headers["x-request-id"]) == (200, mine)
    guarded.line(r"GET     /api/v1/auth/me  200  \d+ ms  AuthMeFunction")
    shown = command("logs", "--request", mine, "--json", "--data-dir", str(guarded.stack.data_dir))
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    functions = [line["function"] for line in lines]
    assert functions[0] == "AuthorizerFunction"
    assert functions[-2:] == ["AuthMeFunction", "api-gateway"]
    assert len({line["trace_id"] for line in lines}) == 1


def test_a_token_is_explained_by_the_rules_of_the_running_stack(guarded: Guarded, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(guarded.token)
    arguments = ["--token-file", str(tmp_path / "token"), "--data-dir", str(guarded.stack.data_dir), "--json"]
    for method, api, passes in (("GET", "OrdersHttpApi", True), ("POST", "OrdersHttpApi", False)):
        done = command("explain", *arguments, "--route", f"{method} /orders", "--api", api)
        found = json.loads(done.stdout)
        assert (done.returncode, found["ok"]) == (0 if passes else 1, passes)
        assert found["consulted"]["rules"].startswith(f"{guarded.rules} (the running stack's)")
        assert found["consulted"]["api"] == 'OrdersHttpApi, block "orders over HTTP"'
    unknown = command("explain", *arguments, "--route", "GET /orders", "--api", "Ordres")
    assert unknown.returncode == 2
    assert "OrdersHttpApi (orders over HTTP)" in json.loads(unknown.stdout)["problems"][0]["remedy"]


def test_a_cached_policy_denies_without_a_known_reason(guarded: Guarded) -> None:
    assert guarded.send("GET", f"{guarded.rest}/orders", guarded.token).status_code == 200
    assert guarded.send("POST", f"{guarded.rest}/orders", guarded.token).status_code == 403
    guarded.line(r"POST    /v1/orders  403 from the authorizer's cache, \d+ s left  \d+ ms  \S+")


def test_a_function_that_ran_is_named(guarded: Guarded) -> None:
    assert guarded.send("GET", f"{guarded.http}/orders", guarded.token).status_code == 200
    guarded.line(r"GET     /orders  200  \d+ ms  \S*OrdersFunction")


def test_a_denied_connection_of_a_websocket_api_has_its_reason(guarded: Guarded, tmp_path: Path) -> None:
    [url] = re.findall(r"guarded +(ws://\S+)", "\n".join(guarded.stack.ready_lines))
    (tmp_path / "token").write_text("not-a-token")
    folder = ("--data-dir", str(guarded.stack.data_dir))
    assert command("connect", "--token-file", str(tmp_path / "token"), *folder, url, "x").returncode == 1
    line = guarded.line(r"CONNECT /live  401 denied: malformed_token  \d+ ms  \S+=")
    explained = command("explain", "--request", line.split()[-1], *folder)
    assert "denied: malformed_token\n  cause     The token isn't a signed JWT.\n" in explained.stdout


def test_an_error_of_a_function_has_its_code_and_reason(guarded: Guarded) -> None:
    url = f"{guarded.stack.url}/api/v1/auth/validate"
    assert guarded.send("GET", url, "not-a-token").status_code == 401
    guarded.line(r"GET     /api/v1/auth/validate  401 AUTH_004: malformed_token  \d+ ms  AuthValidateFunction")


def test_changed_rules_clear_the_authorizers_cache(guarded: Guarded) -> None:
    url = f"{guarded.http}/orders"
    written = guarded.rules.read_text()
    open_to_all = written.replace('scopes = ["orders:write"]', "")
    # In place, and as editors do it: the changed file replaces the old one.
    for number, (rules, status) in enumerate(((open_to_all, 201), (written, 403), (open_to_all, 201), (written, 403))):
        before = len(guarded.stack.lines)
        if number == 0:
            guarded.rules.write_text(rules)
        else:
            saved = guarded.rules.with_name("rules.toml.new")
            saved.write_text(rules)
            saved.replace(guarded.rules)
        guarded.stack.wait_for_line(
            lambda line: (
                line == "changed: rules.toml; restarting: AuthorizerFunction" and line in guarded.stack.lines[before:]  # noqa: B023
            )
        )
        assert guarded.send("POST", url, guarded.token).status_code == status


def test_the_lines_of_one_function_also_after_the_stack_has_ended(guarded: Guarded) -> None:
    # The last test of this module: it stops the stack.
    denied = guarded.send("GET", f"{guarded.http}/orders")
    guarded.line(rf"GET     /orders  401 .*  {re.escape(denied.headers['apigw-requestid'])}")
    assert guarded.stack.stop() == 0
    folder = ("--data-dir", str(guarded.stack.data_dir))
    explained = command("explain", "--request", denied.headers["apigw-requestid"], *folder)
    assert "The Authorization header is missing, so the authorizer didn't run." in explained.stdout
    shown = command("logs", "authorizer", *folder)
    assert shown.returncode == 0
    assert all("  AuthorizerFunction  " in line for line in shown.stdout.splitlines() if not line.startswith(" "))
    unknown = command("logs", "nope", *folder)
    assert unknown.returncode == 1
    # Denied requests are audit events, which their function stores at an interval.
    (named,) = re.findall(r"the functions are (.*)", unknown.stderr)
    assert {"AuthMeFunction", "AuthorizerFunction", "api-gateway"} <= set(named.split(", "))
