"""Write the table of time limits in `docs/RELIABILITY.md`, from the constants of the clients."""

from __future__ import annotations

from pathlib import Path

from tenantgate.aws import secrets_manager
from tenantgate.cache import client as cache
from tenantgate.database import connection, pool
from tenantgate.login.provider.calls import Timeouts
from tenantgate.login.provider.client import REFRESH_TIMEOUTS
from tenantgate.login.service.logout import REVOCATION_SECONDS
from tenantgate.revoked.reader import BODY_SECONDS
from tenantgate.tokens import discovery
from tenantgate.tokens.jwks import Timings
from tenantgate.valkey_reader import reader

PAGE = Path("docs/RELIABILITY.md")
BEGIN, END = "<!-- limits: written by `make docs` -->", "<!-- /limits -->"


def reliability_page() -> str:
    """Return the page with its table of time limits updated."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    lines = ["| call | limit |", "|---|---|", *(f"| {call} | {limit} |" for call, limit in _rows())]
    return f"{before}{BEGIN}\n\n{'\n'.join(lines)}\n\n{END}{rest.partition(END)[2]}"


def _rows() -> list[tuple[str, str]]:
    usual, keys = Timeouts(), Timings()
    container, function = pool.CONTAINER_POOL.wait_seconds, pool.LAMBDA_POOL.wait_seconds
    return [
        ("PostgreSQL: wait for a free connection, container", _seconds(container)),
        ("PostgreSQL: wait for a free connection, function", _seconds(function)),
        ("PostgreSQL: first response on a kept connection", _seconds(pool.KEPT_SECONDS)),
        ("PostgreSQL: a new connection, with up to three attempts", _seconds(connection.CONNECT_ATTEMPT_SECONDS)),
        ("PostgreSQL: a statement", _seconds(connection.STATEMENT_SECONDS)),
        ("Valkey, web functions: a new connection with its login", _seconds(cache.CONNECT_SECONDS)),
        ("Valkey, web functions: a command", _seconds(cache.COMMAND_SECONDS)),
        ("Valkey, authorizer: a new connection", _seconds(reader.CONNECT_SECONDS)),
        ("Valkey, authorizer: a command", _seconds(reader.REPLY_SECONDS)),
        ("Valkey, authorizer: the list of revocations, if it has changed", _seconds(BODY_SECONDS)),
        ("Provider: a code, or user information", _call(usual)),
        ("Provider: a refresh", _call(REFRESH_TIMEOUTS)),
        ("Provider: all revocations of a sign-out together", _seconds(REVOCATION_SECONDS)),
        ("Provider: metadata", _seconds(discovery.TIMEOUT_SECONDS)),
        (
            "Provider: keys, if none are held",
            f"{_seconds(keys.attempt)} an attempt, {_seconds(keys.inline_budget)} in all",
        ),
        ("Provider: keys that are stale, or lack a `kid`; two fetches at most", _seconds(keys.stale_budget)),
        ("AWS Secrets Manager: connect", _seconds(secrets_manager.CONNECT_SECONDS)),
        ("AWS Secrets Manager: a response", _seconds(secrets_manager.READ_SECONDS)),
    ]


def _call(limits: Timeouts) -> str:
    return f"{_seconds(limits.connect)} to connect, {_seconds(limits.read)} for a read, {_seconds(limits.total)} in all"


def _seconds(seconds: float) -> str:
    return f"{seconds:g} s"
