"""A certified relying party, npm's openid-client, signs in at the built-in provider, refreshes and signs out."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_TENANT_ID, DEMO_USER_ID, DEMO_USERNAME
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.programs.node_packages import install
from tests.fixtures.programs.requires import requires_node
from tests.fixtures.providers.built_in import CLIENT_ID, CLIENT_SECRET, sealing_key
from tests.fixtures.providers.built_in_app import provider_variables
from tests.fixtures.providers.built_in_process import provider_processes
from tests.fixtures.servers.app_server import free_socket

pytestmark = requires_node

FOLDER = Path(__file__).parent


@pytest.fixture(scope="module")
def base_url(database_urls: DatabaseUrls) -> Iterator[str]:
    install(FOLDER)
    with free_socket() as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        variables = provider_variables(
            base_url=url, database_url=database_urls.app_url, sealing_key=sealing_key(), ALLOWED_ORIGINS=url
        )
        with provider_processes(variables, sock):
            yield url


@pytest.mark.parametrize("authentication", ["basic", "post"])
def test_a_certified_relying_party_completes_the_flow(base_url: str, authentication: str) -> None:
    outcome = run_client(
        issuer=f"{base_url}/idp",
        clientId=CLIENT_ID,
        clientSecret=CLIENT_SECRET,
        authentication=authentication,
        redirectUri=f"{base_url}/api/v1/auth/callback",
        afterLogout=f"{base_url}/",
        username=DEMO_USERNAME,
        password=DEMO_PASSWORD,
    )

    assert outcome["claims"]["sub"] == DEMO_USER_ID
    assert outcome["claims"]["tenant_id"] == DEMO_TENANT_ID
    assert outcome["userinfo"]["email"] == DEMO_USERNAME
    assert outcome["expiresIn"] == 3600
    assert outcome["reused"] == "invalid_grant"
    kept = ("iss", "sub", "aud", "auth_time", "sid", "tenant_id")
    signed_in, refreshed = outcome["signedInClaims"], outcome["refreshedClaims"]
    assert {name: refreshed[name] for name in kept} == {name: signed_in[name] for name in kept}
    assert "nonce" not in refreshed
    assert outcome["rotated"] is True
    assert outcome["refreshedUserinfo"]["email"] == DEMO_USERNAME
    assert outcome["narrowedScope"] == "openid email"
    assert outcome["widened"] == "invalid_scope"
    assert outcome["refreshReused"] == outcome["familyEnded"] == outcome["codeReuseEnded"] == "invalid_grant"
    assert (outcome["revocation"], outcome["revocationAgain"]) == (None, None)
    assert outcome["revoked"] == "invalid_grant"
    assert outcome["accessTokenRevocation"] == "unsupported_token_type"
    assert outcome["wrongVerifier"] == "invalid_grant"
    assert outcome["silent"] == "login_required"
    assert outcome["afterLogout"] == f"{base_url}/?state=signed-out"


def run_client(**parameters: str) -> dict[str, Any]:
    run = subprocess.run(
        ["node", "--no-warnings", str(FOLDER / "client.mjs"), json.dumps(parameters)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    outcome: dict[str, Any] = json.loads(run.stdout)
    return outcome
