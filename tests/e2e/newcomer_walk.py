"""The first hours of a new user, step by step: `python -m tests.e2e.newcomer_walk` prints the seconds of each step.

A clone, a sign-in in the browser, a token with a scope, an API of one's own behind the authorizer, a denial and its
explanation, a WebSocket, and a token of another provider. Every command is one that the docs show.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
from playwright.sync_api import Page, expect

from tests.fixtures.browsers.chromium import started_chromium
from tests.fixtures.providers.certified import certified_provider
from tests.fixtures.servers.ports import reserved_port
from tests.fixtures.stack.commands import ROOT, RunningStack, await_ready, start_process

RESOURCE = "https://api.example.test"
USER, TENANT = "alice", "org-8a1f5f0e-6f0b-4b7e-9a57-2f7c4f3d9b11"
# The rule, the route and the response that the user adds to a copy of the example.
RULE = """
[[api.route]]
route = "GET /parcels/{id}"
scopes = ["orders:read"]
roles = ["clerk"]
"""
ROUTE = """\
        HttpParcel:
          Type: HttpApi
          Properties: { ApiId: !Ref OrdersHttpApi, Method: GET, Path: "/parcels/{id}" }
"""
RESPONSE = """\
        case "GET /parcels/{id}":
            return response(200, {"parcel": event["pathParameters"]["id"], **seen_by(event)})
"""


class Walk:
    """The steps, in order. Each one fails with an `AssertionError` that holds what the user would have seen."""

    def __init__(self, clone: Path, page: Page, say: Callable[[str], None]) -> None:
        self._clone = clone
        self._page = page
        self._say = say
        self._began = time.monotonic()
        self._tokens: dict[str, str] = {}

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._say(f"{name:<44} {time.monotonic() - began:6.1f} s")

    def walk(self, clone: Callable[[Path], object]) -> None:
        with self._step("clone"):
            clone(self._clone)
        self._write_own_api()
        with self._stack("make dev in the clone, with my API", "WITH=my_api/template.yaml") as stack:
            self._sign_in(stack)
            self._guarded_api(stack)
            self._denial(stack)
            self._web_socket(stack)
        self._other_provider()
        self._say(f"{'all':<44} {time.monotonic() - self._began:6.1f} s")

    @contextmanager
    def _stack(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[RunningStack]:
        argv = ["make", "dev", *arguments]
        if not any(argument.startswith("PORT=") for argument in arguments):
            argv.append("PORT=0")
        stack = start_process(argv, self._clone / ".local", directory=self._clone, env=env)
        try:
            with self._step(name):
                await_ready(stack, seconds=300)
            yield stack
        finally:
            # Ctrl-C reaches every process of the terminal.
            os.killpg(stack.process.pid, signal.SIGINT)
            stack.process.wait(60)

    def _write_own_api(self) -> None:
        """Copy the example, and add a route with a rule to its HTTP API."""
        own = shutil.copytree(self._clone / "examples" / "guarded_api", self._clone / "my_api")
        _append(own / "rules.toml", 'ids = ["OrdersHttpApi"]\n', RULE)
        _append(own / "template.yaml", "      Events:\n", ROUTE)
        _append(own / "orders" / "app.py", "    match route_of(event):\n", RESPONSE)

    def _sign_in(self, stack: RunningStack) -> None:
        with self._step("signed in, in the browser"):
            self._page.goto(stack.url)
            self._page.get_by_role("link", name="Sign in").click()
            self._page.get_by_role("button", name="Demo Admin").click()
            expect(self._page.get_by_role("heading", name="You are signed in")).to_be_visible()

    def _guarded_api(self, stack: RunningStack) -> None:
        with self._step("a token with a scope"):
            self._tokens["admin"] = self._run("token", "--scope", "orders:read", "--role", "clerk")
            self._tokens["member"] = self._run("token", "--user", "Demo Member", "--scope", "orders:read")
        with self._step("my own API, guarded"):
            api = _api(stack, "OrdersHttpApi")
            assert _get(f"{api}/parcels/7", None).status_code == 401
            allowed = _get(f"{api}/parcels/7", self._tokens["admin"])
            assert allowed.status_code == 200, allowed.text
            assert allowed.json()["parcel"] == "7"

    def _denial(self, stack: RunningStack) -> None:
        with self._step("a denial, and its explanation"):
            denied = _get(f"{_api(stack, 'OrdersHttpApi')}/parcels/7", self._tokens["member"])
            assert denied.status_code == 403
            stack.wait_for_line(lambda line: 'denied: missing_role (clerk) by "GET /parcels/{id}"' in line)
            explained = self._run("explain", "--request", denied.headers["apigw-requestid"])
            assert "missing_role" in explained, explained
            assert "clerk" in explained, explained
            assert self._tokens["member"] not in explained

    def _web_socket(self, stack: RunningStack) -> None:
        with self._step("a WebSocket"):
            said = self._run("connect", _api(stack, "ChatApi"), json.dumps({"action": "say", "text": "hello"}))
            assert json.loads(said.splitlines()[-1])["text"] == "hello", said

    def _other_provider(self) -> None:
        with reserved_port() as port, reserved_port() as app_port:
            client = {
                "client_id": "my-app",
                "client_secret": "a-secret-of-the-walk",
                "redirect_uris": [f"http://localhost:{app_port}/callback"],
                "post_logout_redirect_uris": [f"http://localhost:{port}/"],
            }
            with certified_provider([client], resource=RESOURCE, tenants={USER: TENANT}) as issuer:
                variables = {
                    "OIDC_ISSUER_URL": issuer,
                    "OIDC_CLIENT_ID": "my-app",
                    "OIDC_CLIENT_SECRET": "a-secret-of-the-walk",
                    "OIDC_AUDIENCE": RESOURCE,
                    "OIDC_RESOURCE": RESOURCE,
                    "ALLOWED_ORIGINS": f"http://localhost:{app_port}",
                }
                self._use_other_provider(port, variables)

    def _use_other_provider(self, port: int, variables: Mapping[str, str]) -> None:
        with self._stack("make dev with another provider", f"PORT={port}", env=variables) as stack:
            with self._step("another provider's token in hand"):
                token = self._token_by_browser()
            response = _get(f"{stack.url}/api/v1/auth/validate", token)
            assert response.status_code == 200, response.text
            assert response.json()["tenant_id"] == TENANT

    def _token_by_browser(self) -> str:
        """Run `token --browser`, and sign in with the URL that it prints."""
        command = [".venv/bin/tenantgate", "token", "--browser", "--data-dir", ".local"]
        environment = {**os.environ, "BROWSER": "true", "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            command, cwd=self._clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stderr:
                url = re.search(r"http://\S*/authorize\S*|http://\S*/auth\?\S*|http://\S*/login\S*", line)
                if url is not None:
                    break
            else:
                raise AssertionError("no URL was printed")
            self._page.goto(url.group())
            self._page.get_by_placeholder("Enter any login").fill(USER)
            self._page.get_by_placeholder("and password").fill("any")
            self._page.get_by_role("button", name="Sign-in").click()
            self._page.get_by_role("button", name="Continue").click()
            token = process.stdout.read().strip()
            assert process.wait(30) == 0, process.stderr.read()
        return token

    def _run(self, *arguments: str) -> str:
        command = [".venv/bin/tenantgate", *arguments, "--data-dir", ".local"]
        run = subprocess.run(command, cwd=self._clone, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout.strip()


def _append(file: Path, after: str, text: str) -> None:
    """Insert `text` behind the only place that reads `after`."""
    source = file.read_text("utf-8")
    assert source.count(after) == 1, f"{file} has {source.count(after)} × {after!r}"
    file.write_text(source.replace(after, after + text), "utf-8")


def _api(stack: RunningStack, name: str) -> str:
    """Return the address that the ready lines give for an API."""
    (line,) = (line for line in stack.ready_lines if f"({name}, " in line)
    return next(word for word in line.split() if "://" in word)


def _get(url: str, token: str | None) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx2.get(url, headers=headers, timeout=30, trust_env=False)


def clone_repository(folder: Path) -> None:
    """Clone the last commit of this repository."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)


def main() -> int:
    with TemporaryDirectory() as folder, started_chromium() as browser:
        walk = Walk(Path(folder) / "tenantgate", browser.new_page(), lambda line: print(line, flush=True))
        walk.walk(clone_repository)
    return 0


if __name__ == "__main__":
    sys.exit(main())
