"""Processes that start while the provider is away, after another process fetched its documents: on both targets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.valkey import command
from tests.fixtures.providers.built_in import sealing_key
from tests.fixtures.providers.misbehaving import CLIENT_ID, CLIENT_SECRET, MisbehavingProvider
from tests.fixtures.servers.containers import ContainerProcess, container_processes
from tests.fixtures.web.setup import api_event

DISCOVERY = "/.well-known/openid-configuration"
LOGIN, BACKCHANNEL = "/api/v1/auth/login", "/api/v1/auth/backchannel-logout"

SECRETS = {"COOKIE_SEALING_KEYS", "OIDC_CLIENT_SECRET"}

# One cold environment of Lambda: the handler's module is imported for this event.
ENVIRONMENT = """
import importlib, json, sys, types
name, event = sys.argv[1], json.loads(sys.argv[2])
handler = importlib.import_module(f"functions.{name}.handler").lambda_handler
context = types.SimpleNamespace(aws_request_id="1", function_name=name, memory_limit_in_mb=512)
response = handler(event, context)
print(json.dumps({"response": response, "redis": "redis" in sys.modules}))
"""


@dataclass
class Stack:
    provider: MisbehavingProvider
    variables: dict[str, str]
    folder: Path
    valkey_url: str

    def invoke(self, function: str, event: Mapping[str, Any], **variables: str) -> dict[str, Any]:
        """Invoke a function in a new environment; return its response, and whether it has imported redis."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'shared'}"}
        done = subprocess.run(
            [sys.executable, "-c", ENVIRONMENT, function, json.dumps(event)],
            env=environment | self.variables | variables,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    def log_in(self, **variables: str) -> dict[str, Any]:
        return self.invoke("auth_login", api_event("GET", LOGIN), **variables)

    def send_logout_token(self, function_or_url: str, token: str) -> int:
        """Send a logout token to a function, or to a container."""
        if function_or_url.startswith("http"):
            sent = httpx2.post(f"{function_or_url}{BACKCHANNEL}", data={"logout_token": token}, trust_env=False)
            return sent.status_code
        headers = {"content-type": "application/x-www-form-urlencoded"}
        event = api_event("POST", BACKCHANNEL, headers=headers, body=f"logout_token={token}")
        status: int = self.invoke(function_or_url, event)["response"]["statusCode"]
        return status

    def fetches(self) -> tuple[int, int]:
        return len(self.provider.asked(DISCOVERY)), len(self.provider.asked("/jwks"))

    def keys(self) -> list[str]:
        found: list[bytes] = command(self.valkey_url, "KEYS", "tenantgate:*")
        return [key.decode() for key in found if b":metadata:" in key or b":keys:" in key]


@pytest.fixture
def stack(database_urls: DatabaseUrls, redis_url: str, tmp_path: Path) -> Iterator[Stack]:
    with MisbehavingProvider() as provider:
        variables = {
            "ENVIRONMENT": "test",
            "PUBLIC_BASE_URL": "https://gate.example.test",
            "ALLOWED_ORIGINS": "https://app.example.com",
            "DATABASE_URL": database_urls.app_url,
            "REDIS_URL": redis_url,
            "OIDC_ISSUER_URL": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_AUDIENCE": provider.audience,
            "COOKIE_SEALING_KEYS": sealing_key(),
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        yield Stack(provider, variables, tmp_path, redis_url)


def begins_a_sign_in(process: ContainerProcess, provider: MisbehavingProvider) -> bool:
    response = httpx2.get(f"{process.url}{LOGIN}", headers={"accept": "text/html"}, trust_env=False)
    return response.status_code == 302 and response.headers["location"].startswith(f"{provider.issuer}/authorize?")


def test_a_container_that_starts_without_the_provider(stack: Stack) -> None:
    with container_processes(stack.variables, stack.folder) as processes:
        (first,) = processes.start()
        assert begins_a_sign_in(first, stack.provider)
        assert stack.send_logout_token(first.url, stack.provider.logout_token()) == 200
        assert len(stack.keys()) == 2
        late = stack.provider.logout_token()
        stack.provider.stop()
        (second,) = processes.start()
        assert begins_a_sign_in(second, stack.provider)
        assert stack.send_logout_token(second.url, late) == 200
        assert "refused" not in second.log.read_text(encoding="utf-8")


def test_a_function_that_starts_without_the_provider(stack: Stack) -> None:
    first = stack.log_in()
    assert first["response"]["statusCode"] == 302, first
    # The copies need neither redis-py nor its cold start.
    assert first["redis"] is False
    assert stack.send_logout_token("auth_backchannel_logout", stack.provider.logout_token()) == 200
    assert len(stack.keys()) == 2
    fetches, late = stack.fetches(), stack.provider.logout_token()
    assert stack.log_in()["response"]["statusCode"] == 302
    assert stack.fetches() == fetches
    stack.provider.stop()
    second = stack.log_in()
    assert second["response"]["statusCode"] == 302
    assert stack.send_logout_token("auth_backchannel_logout", late) == 200
    # With other sealing keys, no copy is used.
    assert stack.log_in(COOKIE_SEALING_KEYS=sealing_key())["response"]["statusCode"] == 502


def test_functions_without_the_sealing_keys_share_nothing(stack: Stack) -> None:
    kept = {name: value for name, value in stack.variables.items() if name not in SECRETS}
    stack.variables = kept
    headers = {"authorization": f"Bearer {stack.provider.access_token()}"}
    event = api_event("GET", "/api/v1/auth/validate", headers=headers)
    assert stack.invoke("auth_validate", event)["response"]["statusCode"] == 200
    assert stack.fetches()[1] == 1
    assert stack.keys() == []


def test_without_valkey_a_cold_function_asks_the_provider(stack: Stack, tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "valkey") as server:
        away = server.start()
        server.stop()
        assert stack.log_in(REDIS_URL=away)["response"]["statusCode"] == 302
    assert stack.fetches()[0] == 1
