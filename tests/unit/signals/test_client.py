"""The poll of an issuer's endpoint: its requests, and the responses that it accepts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

import pytest

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.signals.client import MOST_EVENTS, Fetched, PollClient, Results

pytestmark = pytest.mark.anyio

ISSUER, URL = "https://issuer.example", "https://issuer.example/poll"


class Response(NamedTuple):
    status: int
    body: Mapping[str, object] | None


class Endpoint:
    """Returns one response, and keeps the requests."""

    def __init__(self, status: int = 200, body: object = None) -> None:
        self.response = Response(status, body)  # type: ignore[arg-type]  # tests send anything
        self.requests: list[tuple[str, Mapping[str, str], Mapping[str, object]]] = []

    async def __call__(self, url: str, *, headers: Mapping[str, str], body: Mapping[str, object]) -> Response:
        self.requests.append((url, headers, body))
        return self.response


def client_of(endpoint: Endpoint, secret: str = json.dumps({ISSUER: "Bearer canary"})) -> PollClient:
    async def authorizations() -> str:
        return secret

    return PollClient(endpoint, authorizations)


async def test_fetches_tokens_with_the_issuers_authorization() -> None:
    endpoint = Endpoint(body={"sets": {"jti-1": "a.b.c"}, "moreAvailable": True})
    assert await client_of(endpoint).poll(ISSUER, URL, Results()) == Fetched({"jti-1": "a.b.c"}, more=True)
    ((url, headers, body),) = endpoint.requests
    assert (url, headers["Authorization"], headers["Content-Type"]) == (URL, "Bearer canary", "application/json")
    assert body == {"maxEvents": MOST_EVENTS, "returnImmediately": True}


async def test_reports_results() -> None:
    endpoint = Endpoint(body={"sets": {}})
    refused = {"jti-2": {"err": "invalid_key", "description": "x"}}
    assert await client_of(endpoint).poll(ISSUER, URL, Results(["jti-1"], refused), most=0) == Fetched({}, more=False)
    ((_, _, body),) = endpoint.requests
    assert body == {"maxEvents": 0, "returnImmediately": True, "ack": ["jti-1"], "setErrs": refused}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(401, {"sets": {}}, id="unauthorized"),
        pytest.param(302, {"sets": {}}, id="redirect"),
        pytest.param(500, None, id="server-error"),
        pytest.param(200, None, id="no-json"),
        pytest.param(200, {}, id="no-sets"),
        pytest.param(200, {"sets": []}, id="sets-is-a-list"),
        pytest.param(200, {"sets": {"jti": 7}}, id="a-number"),
        pytest.param(200, {"sets": {"": "a.b.c"}}, id="empty-id"),
        pytest.param(200, {"sets": {"x" * 257: "a.b.c"}}, id="long-id"),
        pytest.param(200, {"sets": {str(n): "a.b.c" for n in range(MOST_EVENTS + 1)}}, id="more-than-asked-for"),
        pytest.param(200, {"sets": {}, "moreAvailable": "yes"}, id="more-is-a-text"),
    ],
)
async def test_any_other_response_is_a_failure_of_the_issuer(status: int, body: object) -> None:
    with pytest.raises(ProviderUnreachable) as failure:
        await client_of(Endpoint(status, body)).poll(ISSUER, URL, Results())
    assert "canary" not in f"{failure.value} {failure.value.private}"


@pytest.mark.parametrize(
    "secret",
    [
        *("", "Bearer canary", "[]", '"canary"', "{}", "[" * 100_000),
        *(json.dumps({name: value}) for name, value in (("https://other.example", "canary"), (ISSUER, ""))),
        *(json.dumps({ISSUER: value}) for value in (" ", 7, None, "canary\r\nHost: evil.example", "canäry")),
    ],
    ids=range(13),
)
async def test_an_unusable_secret_is_reported_without_its_value(secret: str) -> None:
    endpoint = Endpoint(body={"sets": {}})
    with pytest.raises(SecretsUnavailable) as failure:
        await client_of(endpoint, secret).poll(ISSUER, URL, Results())
    assert not endpoint.requests
    assert "canary" not in f"{failure.value} {failure.value.private}"
