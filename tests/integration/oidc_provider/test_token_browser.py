"""`tenantgate token --browser` against a running stack with a certified provider: the browser's part over HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.fixtures.browsers.scripted import Browser, form_of, location
from tests.fixtures.programs.requires import requires_node
from tests.fixtures.providers.certified import certified_provider
from tests.fixtures.servers.ports import reserved_port
from tests.fixtures.stack.commands import ROOT, RunningStack, dev_stack

pytestmark = requires_node

RESOURCE, USER, TENANT = "https://api.example.test", "alice", "org-8a1f5f0e-6f0b-4b7e-9a57-2f7c4f3d9b11"
SECRET = "canary-of-a-client-secret"


@dataclass
class Signed:
    """A stack whose provider sends browsers to `origin`."""

    stack: RunningStack
    origin: str
    issuer: str


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    with reserved_port() as port:
        origin = f"http://localhost:{port}"
        client = {"client_id": "the-app", "client_secret": SECRET, "redirect_uris": [f"{origin}/callback"]}
        with certified_provider([client], resource=RESOURCE, tenants={USER: TENANT}) as issuer:
            variables = {
                "OIDC_ISSUER_URL": issuer,
                "OIDC_CLIENT_ID": "the-app",
                "OIDC_CLIENT_SECRET": SECRET,
                "OIDC_AUDIENCE": RESOURCE,
                "OIDC_RESOURCE": RESOURCE,
                "ALLOWED_ORIGINS": origin,
            }
            with dev_stack(tmp_path_factory.mktemp("stack"), env=variables) as stack:
                yield Signed(stack, origin, issuer)


@contextmanager
def command(data_dir: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command without a window in which a browser could open."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    arguments = ["token", "--browser", "--data-dir", str(data_dir), *options]
    with subprocess.Popen(
        [sys.executable, "-m", "tenantgate_cli", *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in hidden},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def printed_until_it_waits(process: subprocess.Popen[str]) -> list[str]:
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line.rstrip("\n"))
        if "waiting" in line:
            return lines
    raise AssertionError("\n".join(lines))


def sign_in_at_the_provider(browser: Browser, url: str, until: str) -> str:
    """Sign in and consent. Return the redirect to the command, which the browser doesn't follow yet."""
    response = browser.get(url)
    for _ in range(12):
        if response.is_redirect:
            if location(response).startswith(until):
                return location(response)
            response = browser.get(location(response))
            continue
        action, fields = form_of(response)
        if fields.get("prompt") == "login":
            fields |= {"login": USER, "password": "any"}
        response = browser.submit(action, fields)
    raise AssertionError("the provider does not send the browser back")


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_the_token_of_another_providers_user_is_accepted_by_the_stack(setup: Signed, as_json: bool) -> None:
    redirect_uri = f"{setup.origin}/callback"
    with command(setup.stack.data_dir, *(["--json"] if as_json else [])) as process, Browser() as browser:
        lines = printed_until_it_waits(process)
        assert lines[0] == f"redirect URI  {redirect_uri}   (register it at {setup.issuer})"
        url = lines[1].removeprefix("sign in").strip()
        returned = sign_in_at_the_provider(browser, url, redirect_uri)
        # Another page can't end or replace the sign-in.
        forged = re.sub(r"state=[^&]*", "state=forged", returned)
        assert browser.get(forged).status_code == 400
        shown = browser.get(returned)
        assert (shown.status_code, "You are signed in" in shown.text) == (200, True)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    token = output.strip()
    if as_json:
        result = json.loads(output)
        assert set(result) == {"ok", "access_token", "token_type", "expires_in", "redirect_uri", "problems"}
        assert (result["ok"], result["token_type"], result["redirect_uri"]) == (True, "Bearer", redirect_uri)
        assert 0 < result["expires_in"] <= 1800
        token = result["access_token"]
    assert SECRET not in output
    validated = httpx2.get(
        f"{setup.stack.url}/api/v1/auth/validate",
        headers={"authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=30,
    )
    assert (validated.status_code, validated.json()["user_id"]) == (200, USER)


def test_a_code_of_another_sign_in_fails_with_the_apis_words(setup: Signed) -> None:
    redirect_uri = f"{setup.origin}/callback"
    with command(setup.stack.data_dir) as process, Browser() as browser:
        lines = printed_until_it_waits(process)
        returned = sign_in_at_the_provider(browser, lines[1].removeprefix("sign in").strip(), redirect_uri)
        shown = browser.get(re.sub(r"code=[^&]*", "code=of-another-sign-in", returned))
        assert (shown.status_code, "The sign-in failed" in shown.text) == (400, True)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "")
    assert re.search(r"✗ the sign-in failed: AUTH_\d{3}: ", errors)
    assert re.search(r"→ .*tenantgate explain AUTH_\d{3}", errors)
