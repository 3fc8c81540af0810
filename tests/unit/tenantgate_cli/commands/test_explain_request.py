"""`tenantgate explain --request`: the verdict and the facts for each way in which a request can end, word by word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tenantgate_cli.main import app
from tests.fixtures.stack.log_folder import denial_record, gateway_record, log_record, write_logs

CALLED: dict[str, Any] = {"authorizer": "Gate", "authorizer_result": "called", "decided_in": "Root=1-a", "denied": True}
CACHED: dict[str, Any] = {**CALLED, "authorizer_result": "cached"}
ROLE: dict[str, Any] = {"rule": "GET /a", "expected": ["clerk"], "actual": []}
ROLE_FACTS = """\
  cause     The caller has none of the roles of which the rule requires one.
  rule      GET /a
  expected  the rule's roles, one of: clerk
  actual    the token's roles: none
  remedy    Grant the user one of these roles at the provider (on your machine: `tenantgate token --role`), or change \
`roles` of the rule. A role counts only from the claims in `JWT_ROLES_CLAIM_NAME`.
  code      AUTH_010, The credential doesn't allow this
"""
ORIGIN = gateway_record("403 denied: missing_role", "origin-id", reason="missing_role", **CALLED)
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "denied": (
        {
            "Gate": [denial_record("missing_role", "request-1", **ROLE)],
            "api_gateway": [gateway_record("403 denied: missing_role", "request-1", **CALLED)],
        },
        f"denied: missing_role\n{ROLE_FACTS}",
    ),
    "from the cache": (
        {
            "Gate": [denial_record("missing_role", "origin-id", **ROLE)],
            "api_gateway": [
                ORIGIN,
                gateway_record("403 from the cache", "request-1", trace="1-b", reason="missing_role", **CACHED),
            ],
        },
        f"denied: missing_role, from the authorizer's cache; decided for request origin-id\n{ROLE_FACTS}",
    ),
    "by a cached policy": (
        {
            "Gate": [denial_record("missing_role", "origin-id", **ROLE)],
            "api_gateway": [ORIGIN, gateway_record("403 from the cache", "request-1", trace="1-b", **CACHED)],
        },
        (
            "denied by the policy in the authorizer's cache\n"
            "  cause     The policy that the authorizer returned for request origin-id doesn't allow GET /a.\n"
            "  remedy    Check the same token against the rules: "
            "tenantgate explain --token-file FILE --route 'GET /a' --api Orders\n"
        ),
    ),
    "without a line": (
        {"api_gateway": [gateway_record("403 denied by Gate", "request-1", **CALLED)]},
        (
            "denied by Gate\n"
            "  cause     The log of Gate has no line about this decision.\n"
            "  remedy    Run the stack with LOG_LEVEL=INFO or DEBUG, and send the request again.\n"
        ),
    ),
    "without an identity": (
        {
            "api_gateway": [
                gateway_record(
                    "401 from the gateway: the Authorization header is missing, so the authorizer didn't run",
                    "request-1",
                    **{**CALLED, "authorizer_result": "not called"},
                )
            ]
        },
        (
            "denied by the gateway\n"
            "  cause     The Authorization header is missing, so the authorizer didn't run.\n"
            "  remedy    Send the request with this value: it is the authorizer's identity source.\n"
        ),
    ),
    "by a JWT authorizer": (
        {
            "api_gateway": [
                gateway_record(
                    "401 from the JWT authorizer Native: the token has expired",
                    "request-1",
                    **{**CALLED, "authorizer": "Native", "authorizer_result": "jwt"},
                )
            ]
        },
        (
            "denied by the JWT authorizer Native\n"
            "  cause     The token has expired.\n"
            "  remedy    Compare the token with JwtConfiguration and the scopes in the template.\n"
        ),
    ),
    "no decision": (
        {
            "Gate": [
                log_record(
                    "no decision",
                    request_id="request-1",
                    context={"error_code": "SYS_004", "reason": "provider_timeout"},
                )
            ],
            "api_gateway": [gateway_record("500", "request-1", **CALLED)],
        },
        (
            "no decision: provider_timeout\n"
            "  cause     The issuer took too long to send its keys.\n"
            "  remedy    Check that this machine reaches the issuer, then repeat the request. "
            "`tenantgate jwks bundle` ships the keys.\n"
            "  code      SYS_004, The identity provider can't be reached\n"
        ),
    ),
    "a broken authorizer": (
        {"api_gateway": [gateway_record("500 the authorizer failed", "request-1", status=500, **CALLED)]},
        (
            "no decision\n"
            "  cause     Gate failed, couldn't be loaded, or returned an invalid result.\n"
            "  remedy    Read its output: tenantgate logs Gate\n"
        ),
    ),
    "an error of a function": (
        {
            "F": [
                log_record(
                    "request refused",
                    request_id="request-1",
                    context={
                        "error_code": "AUTH_004",
                        "kind": "WrongAudience",
                        "reason": "aud names another audience",
                        "private": {"claim": "aud", "expected": ["a"], "actual": "b"},
                    },
                )
            ],
            "api_gateway": [gateway_record("401", "request-1", function="F", status=401)],
        },
        (
            "AUTH_004 from F: The token is not valid\n"
            "  cause     The token is for another audience.\n"
            "  finding   aud names another audience\n"
            "  claim     aud\n"
            "  expected  the accepted audiences: a\n"
            "  actual    the token's audience: b\n"
            "  remedy    Request the token for an accepted audience, or add the token's audience to `OIDC_AUDIENCE`.\n"
            "  code      AUTH_004, The token is not valid\n"
        ),
    ),
    "no route": (
        {"api_gateway": [gateway_record("404 no such route in Orders", "request-1", route=None, status=404)]},
        (
            "no such route\n"
            "  cause     No route of Orders matches the method and path.\n"
            "  remedy    Compare them with the API's routes in the template; paths of REST and WebSocket APIs "
            "begin with the stage.\n"
        ),
    ),
    "allowed": (
        {"api_gateway": [gateway_record("200", "request-1", function="F", status=200)]},
        "not denied: the response is 200\n",
    ),
    "still running": (
        {"F": [log_record("request started", request_id="request-1")]},
        "the request didn't end: it is still running, or the stack stopped\n",
    ),
    "denied, and the gateway's line is lost": (
        {"Gate": [denial_record("missing_role", "request-1", **ROLE)]},
        f"denied: missing_role\n{ROLE_FACTS}",
    ),
}


@pytest.fixture(autouse=True)
def _as_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tenantgate_cli.program.program", lambda: "tenantgate")


def command(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["explain", *arguments])
    return done.exit_code, done.stdout, done.stderr


def verdict(printed: str) -> str:
    """Return the part after the title and the log lines."""
    lines = printed.splitlines(keepends=True)[1:]
    return "".join(line for line in lines if not line.startswith("04:00:"))


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_and_its_facts(case: str, tmp_path: Path) -> None:
    logs, words = CASES[case]
    write_logs(tmp_path / ".local", **logs)
    code, printed, problems = command("--request", "request-1")
    assert (code, verdict(printed), problems) == (0, words, "")


def test_the_lines_of_all_functions_come_in_order(tmp_path: Path) -> None:
    write_logs(
        tmp_path / ".local",
        F=[
            log_record("second", at="04:00:00.600", request_id="request-1"),
            log_record("of another request", trace="1-b", request_id="request-2"),
        ],
        Gate=[
            log_record("first", at="04:00:00.100", function_request_id="invocation-1"),
            {"errorMessage": "Unauthorized", "errorType": "Exception", "requestId": "invocation-1"},
            {"errorMessage": "no memory", "errorType": "Exception", "requestId": "invocation-1", "level": "ERROR"},
            {"errorMessage": "not mine", "errorType": "Exception", "requestId": "invocation-2", "level": "ERROR"},
        ],
        api_gateway=[gateway_record("200", "request-1", function="F", status=200)],
    )
    printed = command("--request", "request-1")[1].splitlines()
    assert printed[:5] == [
        "GET /a, 200, request request-1",
        "04:00:00.100Z  Gate  INFO     first",
        "04:00:00.100Z  Gate  ERROR    no memory",
        "04:00:00.600Z  F  INFO     second",
        (
            '04:00:01.000Z  api-gateway  INFO     200  method=GET  path=/a  api=Orders  route="GET /a"  function=F  '
            "status=200"
        ),
    ]
    assert not any("another" in line or "Unauthorized" in line or "not mine" in line for line in printed)


@pytest.mark.parametrize("given", ["request-1", "client-id", "invocation-1", "Root=1-a", "1-a", " request-1\n"])
def test_every_id_that_a_client_or_a_log_shows_finds_the_request(given: str, tmp_path: Path) -> None:
    write_logs(
        tmp_path / ".local",
        Gate=[
            log_record(
                "denied",
                request_id="client-id",
                function_request_id="invocation-1",
                context={"gateway_request_id": "request-1", "reason": "no_rule", "error_code": "AUTH_010"},
            )
        ],
        api_gateway=[gateway_record("403", "request-1", **CALLED)],
    )
    code, printed, _ = command("--request", given)
    assert code == 0
    assert "denied: no_rule" in printed


def test_two_requests_with_an_id_of_their_client_are_both_shown(tmp_path: Path) -> None:
    write_logs(
        tmp_path / ".local",
        Gate=[
            denial_record("no_rule", "client-id", at="04:00:00.100"),
            denial_record("missing_scope", "client-id", at="04:00:00.200", trace="1-b"),
        ],
    )
    printed = command("--request", "client-id")[1]
    assert printed.index("denied: no_rule") < printed.index("denied: missing_scope")


def test_a_part_of_an_id_finds_no_request(tmp_path: Path) -> None:
    write_logs(tmp_path / ".local", Gate=[denial_record("no_rule", "request-1")])
    assert command("--request", "request-")[0] == 2
    assert command("--request", "")[0] == 2


def test_what_a_request_put_into_the_logs_does_not_write_to_the_terminal(tmp_path: Path) -> None:
    odd = denial_record("no_rule", "request-1", actual="GET /\x1b]0;title\x07\u202e", finding="\x1b[2J")
    write_logs(
        tmp_path / ".local", Gate=[odd], api_gateway=[gateway_record("403", "request-1", path="/\x1b[2J", **CALLED)]
    )
    printed = command("--request", "request-1")[1]
    assert "title" in printed
    assert not any(character in printed for character in "\x1b\x07\u202e")
    assert "\x1b" not in command("--request", "request-1", "--json")[1]


FAILURES = [
    (
        ["--request", "nope\x1b"],
        (
            "✗ no line in .local/logs has the request id 'nope?'\n"
            "  → copy the id from X-Request-ID, apigw-requestid, x-amzn-requestid or error.request_id; each start of "
            "the stack deletes the logs of the run before\n"
        ),
    ),
    (
        ["--request", "request-1", "--data-dir", "other"],
        "✗ there are no logs in other/logs\n  → make dev, then send the request again\n",
    ),
    (
        ["missing_role", "--request", "request-1"],
        (
            "✗ say what to explain\n"
            "  → tenantgate explain CODE, or tenantgate explain --request ID, or tenantgate explain --token-file F\n"
        ),
    ),
    (
        ["request-1\x1b"],
        (
            "✗ there is no code 'request-1?'\n"
            "  → docs/ERROR_CODES.md lists them; for a request id: tenantgate explain --request ID\n"
        ),
    ),
]


@pytest.mark.parametrize(("arguments", "words"), FAILURES)
def test_failures_in_words(tmp_path: Path, arguments: list[str], words: str) -> None:
    write_logs(tmp_path / ".local", Gate=[denial_record("no_rule", "request-1")])
    assert command(*arguments) == (2, "", words)


def test_json_has_the_verdict_the_facts_and_the_lines(tmp_path: Path) -> None:
    logs, _ = CASES["denied"]
    write_logs(tmp_path / ".local", **logs)
    code, printed, _ = command("--request", "request-1", "--json")
    [request] = json.loads(printed)["requests"]
    assert code == 0
    wanted = {
        "request_id": "request-1",
        "trace_id": "Root=1-a",
        "method": "GET",
        "path": "/a",
        "status": 403,
        "verdict": "denied: missing_role",
        "reason": "missing_role",
        "rule": "GET /a",
        "expected": "the rule's roles, one of: clerk",
    }
    assert {name: request[name] for name in wanted} == wanted
    assert [line["function"] for line in request["lines"]] == ["Gate", "api-gateway"]
