"""`tenantgate jwks bundle`: its output, and the network calls of a start with it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tenantgate.authorizer.environment import verification_policy
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import ProviderUnreachable, UnknownKey
from tenantgate.tokens.jwks import CachedIssuerKeys, JwksCache, Timings
from tenantgate.tokens.verifier import TokenVerifier
from tenantgate.tokens.wiring import jwks_cache, jwks_loader, read_bundle
from tenantgate_cli.build.jwks_bundle import bundle
from tenantgate_cli.commands import jwks
from tenantgate_cli.console import Failure
from tests.fixtures.authorizer.events import authorizer_event
from tests.fixtures.authorizer.guarded import RULES
from tests.fixtures.providers.issuer_server import IssuerServer, failing
from tests.fixtures.tokens.issuer import AUDIENCE, ManualClock, good_claims, public_jwk, public_jwks, sign

ROOT = Path(__file__).parents[3]

# Imports the handler and asks it, while anything that would open a connection ends the process.
COLD_START = """
import json, os, socket, sys
from types import SimpleNamespace

def no_network(*arguments, **named):
    print("a network call", file=sys.stderr, flush=True)
    os._exit(1)

socket.socket.connect = socket.create_connection = socket.getaddrinfo = no_network
from functions.authorizer.handler import lambda_handler
print(json.dumps(lambda_handler(json.load(sys.stdin), SimpleNamespace(aws_request_id="invocation-1"))))
assert "http.client" not in sys.modules and "ssl" not in sys.modules
"""


def variables(issuer: IssuerServer, file: object, **more: str) -> dict[str, str]:
    return {
        "ENVIRONMENT": "test",
        "OIDC_ISSUER_URL": issuer.url,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_JWKS_FILE": str(file),
        **more,
    }


def token(issuer: IssuerServer, kid: str = "rsa-1", now: float | None = None) -> str:
    return sign(good_claims(int(now or time.time()), iss=issuer.url), kid=kid)


def test_the_key_set_is_written_where_the_layers_build_takes_it(issuer: IssuerServer, tmp_path: Path) -> None:
    issuer.jwks = {"keys": [public_jwk("rsa-1"), public_jwk("p256-1", use="enc")]}
    before = int(time.time())

    [bundled] = bundle(variables(issuer, "/opt/jwks.json"), layer=tmp_path)

    assert (bundled.issuer, bundled.file, bundled.keys) == (issuer.url, tmp_path / "jwks.json", 1)
    written = json.loads((tmp_path / "jwks.json").read_text())
    assert written["keys"] == issuer.jwks["keys"]
    assert before <= written["fetched_at"] <= time.time()
    assert (tmp_path / "jwks.json").stat().st_mode & 0o777 == 0o644
    assert read_bundle(str(tmp_path / "jwks.json")) is not None
    assert [file.name for file in tmp_path.iterdir()] == ["jwks.json"]


def test_each_issuer_gets_its_own_file(issuer: IssuerServer, tmp_path: Path) -> None:
    entry = {
        "issuer": "https://acme.example.test",
        "audiences": ["a"],
        "tenants": "*",
        "jwks_uri": f"{issuer.url}/jwks",
    }
    trusted = [{**entry, "jwks_file": "/opt/jwks-acme.json"}, {**entry, "issuer": "https://asked.example.test"}]
    given = variables(issuer, "/opt/jwks.json", TRUSTED_ISSUERS=json.dumps(trusted))

    files = {bundled.issuer: bundled.file for bundled in bundle(given, layer=tmp_path)}

    assert files == {
        issuer.url: tmp_path / "jwks.json",
        "https://acme.example.test": tmp_path / "jwks-acme.json",
        "https://asked.example.test": None,
    }


def test_the_issuers_may_be_in_a_file_of_the_layer(issuer: IssuerServer, tmp_path: Path) -> None:
    entry = {
        "issuer": "https://acme.example.test",
        "audiences": ["a"],
        "tenants": "*",
        "jwks_uri": f"{issuer.url}/jwks",
    }
    (tmp_path / "issuers.json").write_text(json.dumps([{**entry, "jwks_file": "/opt/jwks-acme.json"}]))
    given = variables(issuer, "/opt/jwks.json", TRUSTED_ISSUERS="file:/opt/issuers.json")

    files = {bundled.issuer: bundled.file for bundled in bundle(given, layer=tmp_path)}

    assert files["https://acme.example.test"] == tmp_path / "jwks-acme.json"


def test_programs_get_the_result_of_each_issuer(
    issuer: IssuerServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {
        "issuer": "https://acme.example.test",
        "audiences": ["a"],
        "tenants": "*",
        "jwks_uri": f"{issuer.url}/jwks",
    }
    monkeypatch.setattr(
        "tenantgate_cli.commands.jwks.environment",
        lambda: variables(issuer, "/opt/jwks.json", TRUSTED_ISSUERS=json.dumps([entry])),
    )

    jwks.run(tmp_path, as_json=True)

    keys = len(json.loads((tmp_path / "jwks.json").read_text())["keys"])
    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "issuers": [
            {"issuer": issuer.url, "file": str(tmp_path / "jwks.json"), "written": True, "keys": keys, "skipped": 0},
            {"issuer": "https://acme.example.test", "file": None, "written": False, "keys": 0, "skipped": 0},
        ],
        "problems": [],
    }


def test_a_file_that_is_the_only_source_of_keys_is_unchanged(issuer: IssuerServer, tmp_path: Path) -> None:
    (tmp_path / "jwks-urn.json").write_text("by hand")
    entry = {"issuer": "urn:issuer:1", "audiences": ["a"], "tenants": "*", "jwks_file": "/opt/jwks-urn.json"}
    given = variables(issuer, "/opt/jwks.json", TRUSTED_ISSUERS=json.dumps([entry]))

    bundled = {one.issuer: one for one in bundle(given, layer=tmp_path)}

    assert bundled["urn:issuer:1"].by_hand
    assert not bundled[issuer.url].by_hand
    assert (tmp_path / "jwks-urn.json").read_text() == "by hand"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"OIDC_JWKS_FILE": ""}, "no issuer has a file", id="no-file"),
        pytest.param({"OIDC_ISSUER_URL": "ftp://x"}, "OIDC_ISSUER_URL", id="bad-settings"),
        pytest.param({"TRUSTED_ISSUERS": "shared"}, "is the key set of two issuers", id="one-file-for-two"),
    ],
)
def test_reports_issuers_that_cannot_be_bundled(
    change: dict[str, str], said: str, *, issuer: IssuerServer, tmp_path: Path
) -> None:
    if change.get("TRUSTED_ISSUERS") == "shared":
        entry = {
            "issuer": "https://acme.example.test",
            "audiences": ["a"],
            "tenants": "*",
            "jwks_file": "/opt/jwks.json",
        }
        change = {"TRUSTED_ISSUERS": json.dumps([entry])}
    with pytest.raises(Failure, match=said):
        bundle(variables(issuer, "/opt/jwks.json") | change, layer=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_issuer_that_fails_leaves_the_last_bundle_unchanged(issuer: IssuerServer, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text("unchanged")
    for response, keys in ((failing(), public_jwks("rsa-1")), (None, {"keys": []})):
        issuer.custom_response, issuer.jwks = response, keys
        with pytest.raises(Failure, match=issuer.url):
            bundle(variables(issuer, "/opt/jwks.json"), layer=tmp_path)
        assert (tmp_path / "jwks.json").read_text() == "unchanged"


def test_a_cold_start_with_a_fresh_bundle_makes_no_network_call(issuer: IssuerServer, tmp_path: Path) -> None:
    file, rules = tmp_path / "jwks.json", tmp_path / "rules.toml"
    rules.write_text(RULES)
    given = variables(issuer, file, ROUTE_RULES_FILE=str(rules))
    bundle(given)
    asked = len(issuer.requests)

    response = _cold_start(given, authorizer_event("http-2.0", token(issuer)))

    assert response["isAuthorized"] is True
    assert len(issuer.requests) == asked


def _cold_start(given: dict[str, str], event: dict[str, Any]) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-c", COLD_START],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'shared'}", **given},
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr + run.stdout
    response: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return response


def test_the_probe_sees_a_network_call(issuer: IssuerServer, tmp_path: Path) -> None:
    """Check that the test above proves something."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    given = variables(issuer, "", ROUTE_RULES_FILE=str(rules))
    with pytest.raises(AssertionError, match="a network call"):
        _cold_start(given, authorizer_event("http-2.0", token(issuer)))


@pytest.mark.parametrize("reachable", [True, False])
def test_a_key_that_left_the_issuer_dies_within_the_stated_age(
    reachable: bool, issuer: IssuerServer, tmp_path: Path
) -> None:
    """Reachable: with the first renewal that is due. Unreachable: at JWKS_MAX_AGE_SECONDS after the bundle's fetch."""
    issuer.jwks = public_jwks("rsa-1", "rsa-2")
    file = tmp_path / "jwks.json"
    given = variables(issuer, file, JWKS_CACHE_TTL_SECONDS="600", JWKS_MAX_AGE_SECONDS="3600")
    bundle(given)
    built = read_bundle(str(file))
    assert built is not None
    policy, clock = verification_policy(given), ManualClock(built.fetched_at)
    keys = CachedIssuerKeys(
        issuer.url,
        jwks_loader(policy.issuers[0]),
        timings=Timings(policy.jwks_cache_ttl_seconds, policy.jwks_max_age_seconds),
        bundle=lambda: built,
        clock=clock,
        pause=clock.pass_by,
    )
    verifier = TokenVerifier(policy, JwksCache({issuer.url: keys}), clock=clock)
    issuer.jwks = public_jwks("rsa-2")
    if not reachable:
        issuer.custom_response = failing()

    lived = 0.0
    refusals: list[TenantgateError] = []
    while not refusals and lived <= 3700:
        lived = clock.now - built.fetched_at
        try:
            verifier.verify(token(issuer, "rsa-1", clock.now))
        except (UnknownKey, ProviderUnreachable) as refusal:
            refusals.append(refusal)
        for thread in threading.enumerate():
            if thread.name == "tenantgate-jwks-refresh":
                thread.join(10)
        clock.pass_by(60)

    assert isinstance(refusals[0], UnknownKey if reachable else ProviderUnreachable)
    assert lived <= (1300 if reachable else 3660)
    assert lived >= (400 if reachable else 3540)
    if reachable:
        assert verifier.verify(token(issuer, "rsa-2", clock.now)).subject == "user-1"


def test_no_address_is_looked_up_for_a_bundled_issuer(
    issuer: IssuerServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = variables(issuer, tmp_path / "jwks.json")
    bundle(given)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("looked up"))
    policy = verification_policy(given)
    assert TokenVerifier(policy, jwks_cache(policy)).verify(token(issuer)).issuer == issuer.url
