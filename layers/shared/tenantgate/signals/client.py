"""Fetch security event tokens from an issuer's poll endpoint (RFC 8936)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from tenantgate.errors.base import Word
from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.tokens.claims import LONGEST_TEXT

# A token has 16 KB at most, and a response 256 KB.
MOST_EVENTS = 10
_JSON = "application/json"


class Reply(Protocol):
    """A response: its status and its JSON object, or None for any other body."""

    @property
    def status(self) -> int: ...

    @property
    def body(self) -> Mapping[str, object] | None: ...


class SendJson(Protocol):
    """Makes a call with bounded time and size; raises `ProviderUnreachable` and `Overloaded`."""

    async def __call__(self, url: str, *, headers: Mapping[str, str], body: Mapping[str, object]) -> Reply: ...


class Results(NamedTuple):
    """The results of fetched tokens by `jti`: those that count as delivered, and the errors of the others."""

    accepted: Sequence[str] = ()
    refused: Mapping[str, Mapping[str, str]] = {}


class Fetched(NamedTuple):
    """Fetched tokens by `jti`. `more`: the issuer has others."""

    tokens: Mapping[str, str]
    more: bool


class PollClient:
    """Calls poll endpoints. `authorizations` returns the secret `EVENT_POLL_AUTHORIZATION`."""

    def __init__(self, send: SendJson, authorizations: Callable[[], Awaitable[str]]) -> None:
        self._send = send
        self._authorizations = authorizations

    async def poll(self, issuer: str, url: str, results: Results, *, most: int = MOST_EVENTS) -> Fetched:
        """Report results, and fetch at most `most` tokens without waiting for new ones (RFC 8936 §2.2, §2.4).

        Raises `SecretsUnavailable`, and `ProviderUnreachable` for any other response than tokens.
        """
        body: dict[str, object] = {"maxEvents": most, "returnImmediately": True}
        if results.accepted:
            body["ack"] = [*results.accepted]
        if results.refused:
            body["setErrs"] = {**results.refused}
        headers = {
            "Authorization": self._header(issuer, await self._authorizations()),
            "Accept": _JSON,
            "Content-Type": _JSON,
        }
        reply = await self._send(url, headers=headers, body=body)
        if reply.status != 200:
            raise ProviderUnreachable("the poll endpoint refused the request", issuer=Word(issuer), actual=reply.status)
        return _fetched(issuer, reply.body)

    @staticmethod
    def _header(issuer: str, authorizations: str) -> str:
        try:
            value = json.loads(authorizations).get(issuer)
        except (ValueError, AttributeError, RecursionError):
            value = None
        # A line break would begin another header.
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value.strip():
            raise SecretsUnavailable("EVENT_POLL_AUTHORIZATION has no usable value for the issuer", issuer=Word(issuer))
        return value


def _fetched(issuer: str, body: Mapping[str, object] | None) -> Fetched:
    sets, more = (None, None) if body is None else (body.get("sets"), body.get("moreAvailable", False))
    if (
        not isinstance(sets, dict)
        or not isinstance(more, bool)
        or len(sets) > MOST_EVENTS
        or not all(isinstance(token, str) and 0 < len(name) <= LONGEST_TEXT for name, token in sets.items())
    ):
        raise ProviderUnreachable("the poll endpoint's response has another form", issuer=Word(issuer))
    return Fetched(sets, more)
