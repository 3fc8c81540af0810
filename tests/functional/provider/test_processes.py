"""Several processes on one database: one key set, and one redemption of each code and refresh token."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_USERNAME
from tests.fixtures.browsers.built_in_provider import HTML, form_of
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.providers.built_in import (
    authorization_request,
    query_of,
    refresh_request,
    sealing_key,
    token_request,
)
from tests.fixtures.providers.built_in_app import provider_variables
from tests.fixtures.providers.built_in_process import provider_processes
from tests.fixtures.servers.app_server import free_socket

WORKERS = 3


@pytest.fixture(scope="module")
def base_url(database_urls: DatabaseUrls) -> Iterator[str]:
    with free_socket() as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        variables = provider_variables(base_url=url, database_url=database_urls.app_url, sealing_key=sealing_key())
        with provider_processes(variables, sock, workers=WORKERS):
            yield url


def test_processes_that_start_at_once_share_one_key_set(base_url: str) -> None:
    with ThreadPoolExecutor(16) as threads:
        responses = list(threads.map(lambda _: httpx2.get(f"{base_url}/idp/jwks", timeout=20).json(), range(16)))
    assert all(response == responses[0] for response in responses)
    assert len(responses[0]["keys"]) == 2


def code_form(base_url: str, scope: str = "openid") -> dict[str, str]:
    """Sign in, and return the form of the token request."""
    redirect_uri = f"{base_url}/api/v1/auth/callback"
    with httpx2.Client(base_url=base_url, timeout=20) as browser:
        request = authorization_request(redirect_uri=redirect_uri, scope=scope)
        form = form_of(browser.get("/idp/authorize", params=dict(request.values), headers=HTML).text)
        form.fields |= {"username": DEMO_USERNAME, "password": DEMO_PASSWORD}
        response = browser.post(form.action, data=form.fields)
    return dict(token_request(query_of(response.headers["location"])["code"], redirect_uri=redirect_uri).values)


def at_once(base_url: str, form: Mapping[str, str], requests: int = 8) -> list[httpx2.Response]:
    """Send the same token request several times at once."""
    with ThreadPoolExecutor(requests) as threads:
        return list(
            threads.map(lambda _: httpx2.post(f"{base_url}/idp/token", data=dict(form), timeout=20), range(requests))
        )


def test_one_of_several_requests_to_different_processes_gets_the_code(base_url: str) -> None:
    for _ in range(5):
        responses = at_once(base_url, code_form(base_url))
        assert sorted(response.status_code for response in responses) == [200, *[400] * 7]


def test_one_of_several_requests_to_different_processes_gets_the_refresh_token(base_url: str) -> None:
    for _ in range(5):
        (issued,) = at_once(base_url, code_form(base_url, "openid offline_access"), 1)
        responses = at_once(base_url, refresh_request(issued.json()["refresh_token"]).values)
        assert sorted(response.status_code for response in responses) == [200, *[400] * 7]
        (winner,) = [response for response in responses if response.status_code == 200]
        (afterwards,) = at_once(base_url, refresh_request(winner.json()["refresh_token"]).values, 1)
        assert afterwards.json()["error"] == "invalid_grant"
