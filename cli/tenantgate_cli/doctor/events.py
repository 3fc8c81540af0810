"""Security events: the settings of their transmitters, and the endpoints that are polled (RFC 8936)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.signals.client import PollClient, Reply, Results
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate_cli.bounded_http import NoResponse, send
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.outcomes import Finding, failed, ok, skipped

_SECONDS = 8.0


def security_events(of: Configuration) -> Finding:
    """Ask each polled endpoint for no events, and report each transmitter."""
    issuers = [issuer for issuer in of.settings.token_policy.issuers if issuer.event_audiences]
    if not issuers:
        return skipped("no trusted issuer sends security events (event_audiences)")
    store = of.secret_store()

    async def authorizations() -> str:
        return await store.get("EVENT_POLL_AUTHORIZATION")

    polled = [issuer for issuer in issuers if issuer.event_poll_url]
    for issuer in polled:
        try:
            asyncio.run(_poll(PollClient(_send, authorizations), issuer))
        except SecretsUnavailable as error:
            fix = "EVENT_POLL_AUTHORIZATION is a JSON object: the Authorization header of each issuer that is polled"
            return failed(f"{issuer.issuer}: {error.reason}", fix)
        except (ProviderUnreachable, NoResponse) as error:
            return failed(f"{issuer.issuer}: {error}", "check event_poll_url, and the authorization at the issuer")
    return ok(f"{len(issuers) - len(polled)} push their events, {len(polled)} are polled")


async def _poll(client: PollClient, issuer: IssuerPolicy) -> None:
    # RFC 8936 §2.4: with maxEvents 0 the issuer returns no event, so that none is lost here.
    await client.poll(issuer.issuer, issuer.event_poll_url or "", Results(), most=0)


async def _send(url: str, *, headers: Mapping[str, str], body: Mapping[str, object]) -> Reply:
    response = await asyncio.to_thread(send, "POST", url, headers=headers, seconds=_SECONDS, json_body=dict(body))
    return _Reply(response.status, response.body if isinstance(response.body, dict) else None)


class _Reply:
    def __init__(self, status: int, body: Mapping[str, object] | None) -> None:
        self.status = status
        self.body = body
