"""`tenantgate logs`, word by word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tenantgate_cli.main import app
from tenantgate_cli.stack.data_folder import DataFolder
from tests.fixtures.stack.log_folder import denial_record, gateway_record, log_record, write_logs


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    failure = {"exception": {"kind": "ValueError", "message": "the cause", "stack": ["a.py:1 f", "b.py:2 g"]}}
    return write_logs(
        tmp_path / ".local",
        AuthorizerFunction=[denial_record("no_rule", "request-1", at="04:00:00.002", rule=None)],
        OrdersFunction=[
            log_record("begin", at="04:00:00.001", trace="1-b", level="DEBUG", request_id="request-2"),
            "printed \x1b[31mred",
            log_record("failed \x1b[2J", at="04:00:00.003", trace="1-b", level="ERROR", context=failure),
        ],
        api_gateway=[gateway_record("403 denied: no_rule", "request-1", at="04:00:00.004", denied=True)],
    )


def command(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["logs", *arguments])
    return done.exit_code, done.stdout, done.stderr


LINES = """\
04:00:00.001Z  OrdersFunction  DEBUG    begin
04:00:00.001Z  OrdersFunction  printed ?[31mred
04:00:00.002Z  AuthorizerFunction  INFO     denied  status=403  gateway_request_id=request-1  error_code=AUTH_010  \
reason=no_rule
04:00:00.003Z  OrdersFunction  ERROR    failed ?[2J
    ValueError: the cause
      a.py:1 f
      b.py:2 g
04:00:00.004Z  api-gateway  INFO     403 denied: no_rule  method=GET  path=/a  api=Orders  route="GET /a"  status=403
"""


def test_all_lines_in_order_of_time(folder: Path) -> None:
    assert command() == (0, LINES, "")


@pytest.mark.parametrize("name", ["AuthorizerFunction", "authorizer", "AUTHORIZERFUNCTION"])
def test_the_lines_of_one_function(folder: Path, name: str) -> None:
    assert command(name) == (0, "".join(line for line in LINES.splitlines(keepends=True) if "Authorizer" in line), "")


def test_the_lines_of_one_request(folder: Path) -> None:
    expected = [line for line in LINES.splitlines() if "Authorizer" in line or "api-gateway" in line]
    assert command("--request", "request-1")[1].splitlines() == expected
    assert command("authorizer", "--request", "request-1")[1].splitlines() == expected[:1]


def test_lines_as_json(folder: Path) -> None:
    code, printed, _ = command("--json")
    lines = [json.loads(line) for line in printed.splitlines()]
    assert code == 0
    assert [line["function"] for line in lines][:2] == ["OrdersFunction", "OrdersFunction"]
    assert lines[1] == {"function": "OrdersFunction", "message": "printed \x1b[31mred"}
    assert "\x1b" not in printed


FAILURES = [
    (
        ["nope\x1b"],
        "✗ there is no function 'nope?' here\n  → the functions are AuthorizerFunction, OrdersFunction, api-gateway\n",
    ),
    (
        ["--request", "nope\x1b"],
        (
            "✗ no line in .local/logs has the request id 'nope?'\n"
            "  → copy the id from X-Request-ID, apigw-requestid, x-amzn-requestid or error.request_id; each start of "
            "the stack deletes the logs of the run before\n"
        ),
    ),
    (
        ["--request", "request-1", "-f"],
        "✗ --follow and --request don't go together\n  → a request's lines are complete when it has ended\n",
    ),
    (
        ["--data-dir", "other"],
        "✗ there are no logs in other/logs\n  → make dev, then send a request\n",
    ),
]


@pytest.mark.parametrize(("arguments", "words"), FAILURES)
def test_failures_in_words(folder: Path, arguments: list[str], words: str) -> None:
    assert command(*arguments) == (1, "", words)


@pytest.mark.parametrize(
    "command_line", [["logs"], ["logs", "--request", "request-1"], ["explain", "--request", "nope"]]
)
def test_a_running_container_writes_no_log_files(folder: Path, command_line: list[str]) -> None:
    stack = DataFolder(folder)
    with stack.held():
        stack.publish(url="http://localhost:3000", owner_url="postgresql://x")
        done = CliRunner().invoke(app, command_line)
    assert done.exit_code in (1, 2)
    assert done.stderr == (
        "✗ the running stack is tenantgate serve, which writes no log files\n"
        "  → read its output, or run make dev instead\n"
    )


def test_a_failure_as_json(folder: Path) -> None:
    code, printed, _ = command("nope", "--json")
    assert (code, json.loads(printed)["ok"]) == (1, False)
