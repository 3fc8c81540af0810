"""Poll the issuers that don't push their security events (RFC 8936)."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from tenantgate.errors.base import TenantgateError, Word
from tenantgate.signals.client import Fetched, PollClient, Results
from tenantgate.signals.errors import AlreadyReceived, SecurityEventRefused
from tenantgate.tokens.issuers import IssuerPolicy

_log = logging.getLogger(__name__)

# Of an issuer in one run: it must not keep the others waiting.
_MOST_FETCHES = 20


class Receiver(Protocol):
    """The part of `service.SecurityEventService` that receives a token."""

    async def receive(self, token: str, *, issuer: str | None) -> None: ...


@dataclass(slots=True)
class Polled:
    """The result of a run: the number of tokens that count as delivered, and of those that were refused."""

    accepted: int = 0
    refused: int = 0


class EventPoll:
    """Fetches and acts on the events of `issuers`: those with `event_poll_url`."""

    def __init__(self, issuers: Collection[IssuerPolicy], client: PollClient, service: Receiver) -> None:
        self._issuers = [issuer for issuer in issuers if issuer.event_poll_url is not None]
        self._client = client
        self._service = service

    async def run(self) -> Polled:
        """Fetch until no issuer has more, and acknowledge what was acted on. Several at once only share the work.

        Raises the first failure after all issuers were tried: what failed on our side is sent again.
        """
        polled, failures = Polled(), list[TenantgateError]()
        for issuer in self._issuers:
            try:
                await self._poll(issuer.issuer, str(issuer.event_poll_url), polled)
            except TenantgateError as error:
                context = {"issuer": Word(issuer.issuer), "error_code": error.error.code, "reason": error}
                _log.warning("security events were not fetched", extra={"context": {**context, **error.private}})
                failures.append(error)
        if failures:
            raise failures[0]
        return polled

    async def _poll(self, issuer: str, url: str, polled: Polled) -> None:
        results, failure = Results(), None
        for _ in range(_MOST_FETCHES):
            fetched = await self._client.poll(issuer, url, results)
            results, failure = await self._act(issuer, fetched)
            polled.accepted += len(results.accepted)
            polled.refused += len(results.refused)
            if failure is not None or not fetched.more:
                break
        if results.accepted or results.refused:
            await self._client.poll(issuer, url, results, most=0)
        if failure is not None:
            raise failure

    async def _act(self, issuer: str, fetched: Fetched) -> tuple[Results, TenantgateError | None]:
        """Return the results up to the first failure on our side: neither that token nor a later one is reported."""
        accepted, refused = list[str](), dict[str, dict[str, str]]()
        for name, token in fetched.tokens.items():
            try:
                await self._service.receive(token, issuer=issuer)
            except AlreadyReceived:
                # Its acknowledgement was lost, or another replica received it.
                accepted.append(name)
            except SecurityEventRefused as error:
                refused[name] = {"err": error.err, "description": error.description}
            except TenantgateError as error:
                return Results(accepted, refused), error
            else:
                accepted.append(name)
        return Results(accepted, refused), None
