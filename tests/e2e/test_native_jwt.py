"""The example that compares Tenantgate's authorizer with API Gateway's own, run as its README describes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2
import pytest

from tenantgate.openid_provider.storage.demo import DEMO_TENANT_ID, DEMO_USER_ID
from tests.fixtures.stack.commands import ROOT, RunningStack, dev_stack

EXAMPLE = ROOT / "examples" / "native_jwt" / "template.yaml"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with dev_stack(tmp_path_factory.mktemp("data"), "--with", str(EXAMPLE)) as running:
        yield running


def minted(stack: RunningStack, *options: str) -> str:
    command = [sys.executable, "-m", "tenantgate_cli", "token", "--data-dir", str(stack.data_dir), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def urls(stack: RunningStack) -> dict[str, str]:
    """The URL before `/orders` of each of the three ways to be authorized."""
    lines = {name: line.split()[1] for line in stack.ready_lines for name in ("HttpApi", "RestApi") if name in line}
    return {
        "tenantgate": f"{lines['HttpApi']}/tenantgate",
        "native": f"{lines['HttpApi']}/native",
        "rest": lines["RestApi"],
    }


def ask(url: str, token: str | None = None, method: str = "GET") -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx2.request(method, url, headers=headers, timeout=30, trust_env=False)


def test_the_same_token_names_the_same_caller_to_all(stack: RunningStack, urls: dict[str, str]) -> None:
    token = minted(stack)
    for way, url in urls.items():
        by = "tenantgate" if way == "tenantgate" else "api gateway"
        response = ask(f"{url}/orders", token)
        assert response.json() == {"by": by, "user_id": DEMO_USER_ID, "tenant_id": DEMO_TENANT_ID}


def test_each_refuses_what_it_checks(stack: RunningStack, urls: dict[str, str]) -> None:
    token, writer = minted(stack), minted(stack, "--scope", "orders:write")
    for url in urls.values():
        assert [ask(f"{url}/orders", wrong).status_code for wrong in (None, "x.y.z", token[:-8])] == [401, 401, 401]
        assert ask(f"{url}/orders", token, "POST").status_code == 403
        assert ask(f"{url}/orders", writer, "POST").status_code == 200
    refused = ask(f"{urls['native']}/orders", "x.y.z")
    assert refused.headers["www-authenticate"].startswith('Bearer scope="" error="invalid_token"')


def test_only_tenantgate_denies_a_route_without_a_rule(stack: RunningStack, urls: dict[str, str]) -> None:
    token = minted(stack)
    assert ask(f"{urls['tenantgate']}/audit", token).status_code == 403
    assert ask(f"{urls['native']}/audit", token).status_code == 200


def test_only_tenantgate_refuses_a_revoked_token(stack: RunningStack, urls: dict[str, str]) -> None:
    token = minted(stack)
    assert [ask(f"{url}/orders", token).status_code for url in urls.values()] == [200, 200, 200]
    out = httpx2.post(
        f"{stack.url}/api/v1/auth/logout",
        headers={"authorization": f"Bearer {token}"},
        json={"redirect_uri": f"{stack.url}/"},
        timeout=30,
        trust_env=False,
    )
    assert out.status_code == 200, out.text
    codes: dict[str, int] = {}
    deadline = time.monotonic() + 30
    while codes.get("tenantgate") != 401 and time.monotonic() < deadline:
        codes = {way: ask(f"{url}/orders", token).status_code for way, url in urls.items()}
        time.sleep(0.2)
    assert codes == {"tenantgate": 401, "native": 200, "rest": 200}


def test_the_terminal_names_the_failed_check(stack: RunningStack, urls: dict[str, str]) -> None:
    ask(f"{urls['rest']}/orders", "x.y.z")
    stack.wait_for_line(lambda printed: "401 from the JWT authorizer RestNative: the token is not a JWT" in printed)
    assert not [printed for printed in stack.lines if printed.startswith("WARNING")]
