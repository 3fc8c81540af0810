"""The WebSocket API of the example behind the authorizer: the line to paste, messages, denials and logs."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tenantgate.openid_provider.storage.demo import DEMO_TENANT_ID
from tests.fixtures.docs.guard_page import snippets
from tests.fixtures.programs.requires import requires_chromium
from tests.fixtures.stack.commands import ROOT, RunningStack, dev_stack
from tests.fixtures.stack.flow import SPA_ORIGIN

pytestmark = pytest.mark.xdist_group("stacks")
EXAMPLE = ROOT / "examples" / "guarded_api" / "template.yaml"
WHOAMI = '{"action": "whoami"}'


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with dev_stack(tmp_path_factory.mktemp("data"), "--with", str(EXAMPLE)) as running:
        yield running


@pytest.fixture(scope="module")
def token(stack: RunningStack) -> str:
    command = [sys.executable, "-m", "tenantgate_cli", "token", "--data-dir", str(stack.data_dir)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def url(stack: RunningStack) -> str:
    return chat_line(stack).split()[1]


def chat_line(stack: RunningStack) -> str:
    (line,) = (line for line in stack.ready_lines if "(ChatApi, WebSocket API)" in line)
    return line


def opened(url: str, token: str | None = None, **more: Any) -> ClientConnection:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    connection: ClientConnection = connect(url, additional_headers=headers, proxy=None, **more)
    return connection


def test_the_line_to_paste_works(stack: RunningStack, url: str) -> None:
    _, _, line = chat_line(stack).partition("  try ")
    program, *arguments = shlex.split(line)
    assert program.endswith("tenantgate")
    command = [sys.executable, "-m", "tenantgate_cli", *arguments]
    said = '{"action": "say", "text": "hello"}'
    done = subprocess.run([*command, WHOAMI, said], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    first, *replies = done.stdout.splitlines()
    assert first == f"connected to {url}"
    by_route, by_management = sorted((json.loads(reply) for reply in replies), key=len)
    assert by_route["tenant_id"] == by_management["tenant_id"] == DEMO_TENANT_ID
    assert by_management["text"] == "hello"


def test_a_page_in_a_browser_sends_the_token_as_a_subprotocol(url: str, token: str) -> None:
    with opened(url, subprotocols=["bearer", token], origin="https://app.example.com") as connection:
        assert connection.subprotocol == "bearer"
        connection.send(WHOAMI)
        assert json.loads(connection.recv())["tenant_id"] == DEMO_TENANT_ID


# Opens a socket with a line of a page, sends a text, and returns the protocol and the first message, or the close code.
CONVERSE = """async ([url, token, text]) => {
    %s
    return await new Promise((done) => {
        socket.onopen = () => socket.send(text);
        socket.onmessage = (message) => done([socket.protocol, message.data]);
        socket.onclose = (closed) => done(["closed", String(closed.code)]);
    });
}"""


@requires_chromium
def test_the_line_for_browsers_works_in_one_and_other_ways_do_not(page: Page, url: str, token: str) -> None:
    (line,) = snippets("javascript")
    page.route(f"{SPA_ORIGIN}/**", lambda route: route.fulfill(status=200, content_type="text/html", body="<p>app"))
    page.goto(f"{SPA_ORIGIN}/")

    protocol, message = page.evaluate(CONVERSE % line, [url, token, WHOAMI])
    assert protocol == "bearer"
    assert json.loads(message)["tenant_id"] == DEMO_TENANT_ID
    for wrong in ("new WebSocket(url)", "new WebSocket(`${url}?access_token=${token}`)"):
        script = CONVERSE % f"const socket = {wrong};"
        assert page.evaluate(script, [url, token, WHOAMI]) == ["closed", "1006"]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"origin": "https://evil.example"}),
        ("?access_token={token}&token={token}", {}),
        ("", {"authorization": "Bearer {token}x"}),
        ("", {"x-tenant-id": DEMO_TENANT_ID, "x-user-id": "1"}),
        ("", {"authorization": "Bearer {token}", "sec-websocket-protocol": "bearer, {token}"}),
    ],
    ids=["without", "query", "forged", "other-headers", "twice"],
)
def test_no_connection_without_a_valid_token(
    stack: RunningStack, url: str, token: str, query: str, headers: dict[str, str]
) -> None:
    given = {name: value.format(token=token) for name, value in headers.items()}
    with pytest.raises(InvalidStatus) as rejected:
        connect(url + query.format(token=token), additional_headers=given, proxy=None)
    assert rejected.value.response.status_code == 401
    body = json.loads(rejected.value.response.body or b"{}")
    assert body["message"] == "Unauthorized"
    line = stack.wait_for_line(lambda line: body["requestId"] in line)
    assert line.startswith("CONNECT /live  401 denied: ")
    assert "ChatFunction" not in line


def test_a_message_can_not_change_the_caller(url: str, token: str) -> None:
    forged = {"action": "whoami", "requestContext": {"authorizer": {"tenant_id": "other"}}, "tenant_id": "other"}
    with opened(url, token) as connection:
        connection.send(json.dumps(forged))
        assert json.loads(connection.recv())["tenant_id"] == DEMO_TENANT_ID


def test_no_log_and_no_line_contains_a_token(stack: RunningStack, url: str, token: str) -> None:
    with pytest.raises(InvalidStatus):
        opened(f"{url}?access_token={token}")
    with opened(f"{url}?access_token={token}", token) as connection:
        connection.send(json.dumps({"action": "whoami", "token": token}))
        connection.recv()
    with opened(url, subprotocols=["bearer", token]):
        pass
    stack.wait_for_line(lambda line: line.startswith("CLOSE"))
    signature = token.rpartition(".")[2]
    assert signature not in stack.logs()
    assert signature not in "\n".join(stack.lines)
    assert not [line for line in stack.lines if "ASGI" in line or "access_token" in line]


def test_ending_the_stack_closes_connections_and_leaves_nothing(url: str, stack: RunningStack, token: str) -> None:
    processes = psutil.Process(stack.process.pid).children(recursive=True)
    with opened(url, token) as connection:
        connection.send(WHOAMI)
        connection.recv()
        assert stack.stop() == 0
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "Going away")
    assert "Traceback" not in "\n".join(stack.lines)
    assert psutil.wait_procs(processes, timeout=10)[1] == []
