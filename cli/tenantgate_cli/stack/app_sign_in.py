"""Sign in as a single-page app does: begin, and exchange the parameters that the provider returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx2

from tenantgate_cli.console import Failure, printable

_TIMEOUT_SECONDS = 40
_LONGEST_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in that has begun. `cookie` binds it to this process, `state` to the provider's response."""

    authorization_url: str
    state: str = field(repr=False)
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The token of a completed sign-in. `expires_in` is in seconds."""

    access_token: str = field(repr=False)
    expires_in: int


def begin_sign_in(api: str, redirect_uri: str) -> Attempt:
    """Begin a sign-in at the API, for an app with this redirect URI. Raises Failure."""
    response = _send(api, "GET", "login", params={"redirect_uri": redirect_uri})
    url = str(response.json()["authorization_url"])
    states = parse_qs(urlsplit(url).query).get("state", [])
    cookies = [header.split(";", 1)[0] for header in response.headers.get_list("set-cookie")]
    if len(states) != 1:
        raise Failure("the sign-in page's address has no state", "start the stack again: make dev")
    return Attempt(url, states[0], "; ".join(cookies))


def complete_sign_in(api: str, attempt: Attempt, returned: Mapping[str, str]) -> AccessToken:
    """Exchange the parameters that the provider added to the redirect URI. Raises Failure."""
    # The API's client has no cookie jar: on plain http it would not send `Secure` cookies, as browsers do on loopback.
    body = _send(api, "POST", "callback", json=dict(returned), headers={"cookie": attempt.cookie}).json()
    token = str(body["access_token"])
    if not token.isascii() or not token.isprintable():
        raise Failure("the access token has characters that a terminal can't show")
    return AccessToken(token, int(body["expires_in"]))


def _send(
    api: str,
    method: str,
    endpoint: str,
    *,
    params: Mapping[str, str] | None = None,
    json: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx2.Response:
    """Return a successful response. Raises Failure with the words of the API's error."""
    url = f"{api}/api/v1/auth/{endpoint}"
    try:
        response = httpx2.request(
            method,
            url,
            params=params,
            json=json,
            headers={"accept": "application/json", **(headers or {})},
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )
    except httpx2.TransportError as error:
        raise Failure(f"the stack at {api} doesn't respond: {type(error).__name__}", "make dev") from error
    if response.status_code != httpx2.codes.OK:
        raise _failure(response)
    return response


def _failure(response: httpx2.Response) -> Failure:
    try:
        error = response.json()["error"]
        code, message, detail = str(error["code"]), str(error["message"]), error["detail"]
    except (ValueError, KeyError, TypeError):
        return Failure(f"the sign-in failed: the API returned {response.status_code}")
    words = f"the sign-in failed: {code}: {message}" + (f" ({detail})" if detail else "")
    return Failure(printable(words[:_LONGEST_SHOWN]), f"tenantgate explain {printable(code)}")
