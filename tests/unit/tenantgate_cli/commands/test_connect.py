"""`tenantgate connect` against a separate server: requests, output and failures."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from tenantgate_cli.commands.connect import is_loopback
from tenantgate_cli.main import app
from tenantgate_cli.paths import ROOT

TOKEN = "aaaa.bbbb.cccc"


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt at which `tenantgate` isn't on the PATH."""
    monkeypatch.setenv("MAKELEVEL", "1")
    monkeypatch.chdir(ROOT)


@contextmanager
def listening(handle: Callable[[ServerConnection], None], **more: Any) -> Iterator[str]:
    with serve(handle, "127.0.0.1", 0, **more) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/live"
        finally:
            server.shutdown()
            thread.join()


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


def connect(folder: Path, url: str, *arguments: str, text: str | None = None) -> Result:
    (folder / "token").write_text(f"{TOKEN}\n")
    given = ["connect", "--token-file", str(folder / "token"), "--wait", "0.8", url, *arguments]
    return CliRunner().invoke(app, given, input=text)


def test_it_prints_a_line_for_each_message(tmp_path: Path) -> None:
    with listening(echo) as url:
        assert connect(tmp_path, url, "one", "zwei ü").stdout == f"connected to {url}\none\nzwei ü\n"
        by_input = connect(tmp_path, url, text="one\n\nthree\n")
        assert (by_input.exit_code, by_input.stdout) == (0, f"connected to {url}\none\n\nthree\n")


def test_a_message_writes_nothing_to_the_terminal_but_text(tmp_path: Path) -> None:
    with listening(echo) as url:
        done = connect(tmp_path, url, "\x1b]0;title\x07red\x1b[31m")
    assert done.stdout.splitlines()[1] == "?]0;title?red?[31m"


def test_the_token_is_in_the_header_or_as_from_a_browser(tmp_path: Path) -> None:
    seen: list[tuple[str | None, str | None]] = []

    def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        headers = connection.request.headers
        seen.append((headers.get("Authorization"), headers.get("Sec-WebSocket-Protocol")))
        echo(connection)

    def select(_connection: ServerConnection, offered: Any) -> Any:
        return "bearer" if offered else None

    with listening(note, select_subprotocol=select) as url:
        assert connect(tmp_path, url, "x").exit_code == 0
        assert connect(tmp_path, url, "--as-browser", "x").exit_code == 0
    assert seen == [(f"Bearer {TOKEN}", None), (None, f"bearer, {TOKEN}")]


def rejecting(status: HTTPStatus) -> Callable[[ServerConnection, Request], Response]:
    return lambda connection, _request: connection.respond(status, "no")


REJECTED = {
    HTTPStatus.UNAUTHORIZED: (
        "send a valid token: .venv/bin/tenantgate explain --token-file FILE says what is wrong with one"
    ),
    HTTPStatus.FORBIDDEN: (
        "the route rules deny $connect, or the path isn't the API's stage: the request's line of make dev says which"
    ),
    HTTPStatus.BAD_GATEWAY: "the request's line of make dev names the function that failed",
}


@pytest.mark.parametrize(("status", "remedy"), REJECTED.items(), ids=[str(status.value) for status in REJECTED])
def test_a_rejected_connection(tmp_path: Path, status: HTTPStatus, remedy: str) -> None:
    with listening(echo, process_request=rejecting(status)) as url:
        done = connect(tmp_path, url, "x")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"✗ {url} rejected the connection: {status.value}\n  → {remedy}\n"
    assert TOKEN not in done.output


@pytest.mark.parametrize(
    ("request_id", "explained"),
    [
        ("pYmv02eyPHxhc4j=", True),
        ("x; rm -rf ~", False),
        ("$(id)", False),
        ("a\x1b[31m", False),
        ("", False),
        (7, False),
    ],
)
def test_a_denial_by_the_local_stack_names_the_command_that_explains_it(
    tmp_path: Path, request_id: object, explained: bool
) -> None:
    body = json.dumps({"message": "Unauthorized", "requestId": request_id})
    with listening(echo, process_request=lambda connection, _: connection.respond(401, body)) as url:
        done = connect(tmp_path, url, "--data-dir", str(tmp_path / "data"), "x")
    command = f".venv/bin/tenantgate explain --request {request_id} --data-dir {tmp_path / 'data'}"
    assert done.stderr.splitlines()[1] == f"  → {command if explained else REJECTED[HTTPStatus.UNAUTHORIZED]}"


CLOSED = {
    1000: (0, "closed by the API: 1000 done", ""),
    1001: (0, "closed by the API: 1001 done", ""),
    1003: (1, "✗ closed by the API: 1003 done", "  → send text: API Gateway accepts no binary messages"),
    1009: (1, "✗ closed by the API: 1009 done", "  → a message may have 128 KB, and each of its frames 32 KB"),
    1011: (1, "✗ closed by the API: 1011 done", ""),
}


@pytest.mark.parametrize("code", CLOSED)
def test_a_connection_that_the_api_closes(tmp_path: Path, code: int) -> None:
    with listening(lambda connection: connection.close(code, "done")) as url:
        done = connect(tmp_path, url, "x")
    status, line, remedy = CLOSED[code]
    assert (done.exit_code, done.output.splitlines()[1:]) == (status, [part for part in (line, remedy) if part])


def test_what_it_says_when_it_can_not_connect(tmp_path: Path) -> None:
    wrong = connect(tmp_path, "http://localhost:1/live", "x")
    assert wrong.stderr.splitlines() == [
        (
            "✗ can't connect to http://localhost:1/live: http://localhost:1/live isn't a valid URI: scheme isn't ws "
            "or wss"
        ),
        "  → copy the URL from the ready lines",
    ]
    missing = CliRunner().invoke(app, ["connect", "--token-file", str(tmp_path / "none"), "ws://localhost:1/live"])
    assert missing.stderr.endswith("  → .venv/bin/tenantgate token > FILE\n")


def test_the_demo_users_token_never_leaves_this_machine(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["connect", "--data-dir", str(tmp_path), "wss://chat.example.com/live", "x"])
    assert (done.exit_code, done.stderr) == (
        1,
        (
            "✗ chat.example.com isn't this machine: the demo user's token is only for a stack on this machine\n"
            "  → name a file with a token: --token-file FILE\n"
        ),
    )


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("ws://localhost:3001/live", True),
        ("ws://127.0.0.1:3001/live", True),
        ("ws://[::1]:3001/live", True),
        ("ws://localhost.example.com/live", False),
        ("ws://localhost:3001@example.com/live", False),
        ("ws://127.0.0.1.nip.example/live", False),
        ("wss://a1b2.execute-api.eu-central-1.amazonaws.com/live", False),
    ],
)
def test_hosts_that_are_this_machine(url: str, here: bool) -> None:
    assert is_loopback(url) is here
