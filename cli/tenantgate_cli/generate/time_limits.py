"""Write the table of time limits in `docs/RELIABILITY.md`, from `tenantgate/time_limits.py`."""

from __future__ import annotations

from pathlib import Path

from tenantgate import time_limits as limits

PAGE = Path("docs/RELIABILITY.md")
BEGIN, END = "<!-- limits: written by `make docs` -->", "<!-- /limits -->"


def reliability_page() -> str:
    """Return the page with its table of time limits updated."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    lines = ["| call | limit |", "|---|---|", *(f"| {call} | {limit} |" for call, limit in _rows())]
    return f"{before}{BEGIN}\n\n{'\n'.join(lines)}\n\n{END}{rest.partition(END)[2]}"


def _rows() -> list[tuple[str, str]]:
    usual = (limits.PROVIDER_CONNECT, limits.PROVIDER_READ, limits.PROVIDER_TOTAL)
    refresh = (limits.PROVIDER_CONNECT, limits.REFRESH_TOTAL, limits.REFRESH_TOTAL)
    keys = f"{_seconds(limits.KEYS_ATTEMPT)} an attempt"
    return [
        (
            "PostgreSQL: wait for a free connection, container, before any other work for the request",
            _seconds(limits.DATABASE_FIRST_WAIT),
        ),
        ("PostgreSQL: wait for a free connection, otherwise", _seconds(limits.DATABASE_WAIT)),
        ("PostgreSQL: first response on a kept connection", _seconds(limits.DATABASE_KEPT_CONNECTION)),
        ("PostgreSQL: a new connection, with up to three attempts", _seconds(limits.DATABASE_CONNECT)),
        ("PostgreSQL: a statement", _seconds(limits.DATABASE_STATEMENT)),
        (
            "Valkey, web functions: a new connection with its login; longer if the process itself is late",
            _seconds(limits.CACHE_CONNECT),
        ),
        ("Valkey, web functions: a command; longer if the process itself is late", _seconds(limits.CACHE_COMMAND)),
        (
            "Valkey, web functions: reading a copy of a provider's document",
            (
                f"{_seconds(limits.COPIES_CONNECT)} to connect, {_seconds(limits.COPIES_REPLY)} for a reply, "
                f"{_seconds(limits.COPIES_READ)} in all"
            ),
        ),
        ("Valkey, web functions: writing a copy of a provider's document", _seconds(limits.COPIES_WRITE)),
        ("Valkey, authorizer: a new connection", _seconds(limits.AUTHORIZER_CACHE_CONNECT)),
        ("Valkey, authorizer: a command", _seconds(limits.AUTHORIZER_CACHE_REPLY)),
        ("Valkey, authorizer: the list of revocations, if it has changed", _seconds(limits.REVOCATION_LIST)),
        ("Provider: a code, or user information", _call(*usual)),
        ("Provider: a refresh", _call(*refresh)),
        ("Provider: all revocations of a sign-out together", _seconds(limits.SIGN_OUT_REVOCATIONS)),
        ("Data keys: those of the tokens that a sign-out revokes, all together", _seconds(limits.SIGN_OUT_KEYS)),
        ("Provider: metadata", _seconds(limits.METADATA)),
        ("Provider: keys, if none are held", f"{keys}, {_seconds(limits.KEYS_TOTAL)} in all"),
        ("Provider: keys that are stale, or lack a `kid`; two fetches at most", _seconds(limits.STALE_KEYS)),
        ("Provider: keys, before they are stale, for which no request waits", _seconds(limits.BACKGROUND_KEYS)),
        (
            "Built-in provider: a logout token to a client",
            f"{_seconds(limits.LOGOUT_TOKEN_CONNECT)} to connect, {_seconds(limits.LOGOUT_TOKEN_TOTAL)} in all",
        ),
        (
            "PostgreSQL: the audit event of a refused request",
            f"{_seconds(limits.AUDIT_KEY)} for its key, {_seconds(limits.AUDIT_EVENT)} for the event",
        ),
        ("AWS Secrets Manager: connect", _seconds(limits.SECRETS_CONNECT)),
        ("AWS Secrets Manager: a response", _seconds(limits.SECRETS_READ)),
        (
            "AWS KMS",
            (
                f"{_seconds(limits.KMS_CONNECT)} to connect, {_seconds(limits.KMS_READ)} for a response, "
                f"tried twice, {_seconds(limits.KMS_TOTAL)} in all"
            ),
        ),
        (
            "Amazon S3 (anchors of the audit log)",
            f"{_seconds(limits.S3_CONNECT)} to connect, {_seconds(limits.S3_READ)} for a response, tried three times",
        ),
    ]


def _call(connect: float, read: float, total: float) -> str:
    return f"{_seconds(connect)} to connect, tried twice, {_seconds(read)} for a read, {_seconds(total)} in all"


def _extended(seconds: float) -> str:
    return f"{_seconds(seconds)}; longer if the process itself is late"


def _seconds(seconds: float) -> str:
    return f"{seconds:g} s"
