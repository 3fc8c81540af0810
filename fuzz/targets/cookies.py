"""The session cookie in an authorizer's event: a caller is found only by the one genuine cookie of an own page."""

from __future__ import annotations

import json
from typing import Any

from fuzz.building import json_bytes
from fuzz.judge import Finding
from fuzz.targets import Target, Try
from fuzz.targets.valkey import ENTRY
from fuzz.world import now
from tenantgate.authorizer.cookie_callers import CookieCallers
from tenantgate.authorizer.cookies import secret_of
from tenantgate.authorizer.events import AuthorizerCall
from tenantgate.authorizer.service import Authorizer
from tenantgate.crypto.opaque import OpaqueKind
from tenantgate.identity.credential import Credentials
from tenantgate.identity.principal import Principal
from tenantgate.identity.session import CachedSessions
from tenantgate.identity.session_cookie import SESSION_COOKIE
from tenantgate.identity.session_entry import session_keys
from tenantgate.revoked.snapshot import Snapshot
from tenantgate.route_rules.file import load_rules

_RULES = """version = 1
[[api]]
name = "fuzzed"
ids = ["*"]
[[api.route]]
route = "GET /orders"
[[api.route]]
route = "POST /orders"
[[api.route]]
route = "$connect"
"""
_API = "arn:aws:execute-api:eu-central-1:210987654321:k2j4h6g8f0/live"
_ORIGIN = "https://auth.example.test"
_LIVE, _DEAD, _CSRF = "$LIVE", "$DEAD", "$CSRF"
_NOTHING_REVOKED = Snapshot(1, frozenset(), {}, frozenset(), None, {})
_KIND = OpaqueKind(digests_random_part_only=True)


class _Values:
    """A store with one session."""

    def __init__(self, key: str) -> None:
        self._values = {key: ENTRY.to_json()}

    def get_many(self, *keys: str) -> list[bytes | None]:
        return [self._values.get(key) for key in keys]

    def set(self, key: str, value: bytes, *, seconds: int) -> None:
        raise Finding(f"{key} was marked within a minute ({len(value)} bytes, {seconds} s)")


def _prepare() -> Try:
    live, dead = _KIND.issue(ENTRY.tenant_id), _KIND.issue(ENTRY.tenant_id)
    sessions = CachedSessions(_Values(session_keys(live.tenant_id, live.digest).entry), clock=now)
    callers = CookieCallers(sessions, {_ORIGIN}, lambda: _NOTHING_REVOKED)

    def cookie_caller(call: AuthorizerCall) -> Principal | None:
        secret = secret_of(call)
        return None if secret is None else callers.principal(call, secret)

    authorizer = Authorizer(Credentials(), load_rules(_RULES), cookie_caller=cookie_caller, clock=now)
    given = {_LIVE: live.text, _DEAD: dead.text, _CSRF: ENTRY.csrf_token}

    def try_bytes(data: bytes) -> None:
        for name, value in given.items():
            data = data.replace(name.encode(), value.encode())
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return
        try:
            response = authorizer.decide(event)
        except Finding:
            raise
        except Exception as error:
            # 401, by API Gateway's contract; any other exception would be a 500.
            if type(error) is Exception and str(error) == "Unauthorized":
                return
            raise
        _check(response, event, live.text)

    return try_bytes


def _check(response: Any, event: Any, secret: str) -> None:
    context = response.get("context", response.get("resolverContext", {}))
    if "user_id" not in context:
        return
    text = json.dumps(event, ensure_ascii=False)
    if context.get("session_id") != ENTRY.session_id or f"{SESSION_COOKIE}={secret}" not in text:
        raise Finding("a caller without the session's cookie")
    if any(name.lower() == "authorization" for name in event.get("headers", {})):
        raise Finding("a caller by cookie next to an Authorization header")
    method = str(event.get("routeArn") or event.get("methodArn")).split("/")[2]
    if method != "GET" and not any(proof in text for proof in (f'"{_ORIGIN}"', '"same-origin"', '"none"')):
        raise Finding("a change without a page of the own site")
    if method == "POST" and ENTRY.csrf_token not in text:
        raise Finding("a change without the CSRF token")


def _seeds() -> list[bytes]:
    seeds = []
    for cookie in (f"{SESSION_COOKIE}={_LIVE}", f"a=1; {SESSION_COOKIE}={_LIVE}; b=2", f"{SESSION_COOKIE}={_DEAD}"):
        for method in ("GET", "POST"):
            headers = {"Origin": _ORIGIN, "X-CSRF-Token": _CSRF, "Sec-Fetch-Site": "same-origin"}
            arn, http = f"{_API}/{method}/orders", {"method": method, "path": "/orders"}
            rest: dict[str, object] = {
                "type": "REQUEST",
                "methodArn": arn,
                "httpMethod": method,
                "path": "/orders",
                "resource": "/orders",
            }
            rest |= {"requestContext": {"requestId": "5c1d9e7a-0b3f", "stage": "live"}}
            lists = {name: [value] for name, value in {**headers, "Cookie": cookie}.items()}
            seeds += [
                json_bytes({**rest, "headers": {**headers, "Cookie": cookie}, "multiValueHeaders": lists}),
                json_bytes({"version": "1.0", **rest, "headers": {**headers, "cookie": cookie}}),
                json_bytes({"version": "2.0", "type": "REQUEST", "routeArn": arn, "rawPath": "/live/orders",
                            "routeKey": f"{method} /orders", "headers": headers, "cookies": cookie.split("; "),
                            "requestContext": {"requestId": "5c1d9e7a-0b3f", "http": http, "stage": "live"}}),
            ]  # fmt: skip
        connect = {"eventType": "CONNECT", "requestId": "5c1d9e7a"}
        seeds.append(
            json_bytes({"type": "REQUEST", "methodArn": f"{_API}/$connect", "requestContext": connect,
                        "headers": {"Origin": _ORIGIN, "Cookie": cookie}})
        )  # fmt: skip
    return seeds


_NAMES = ("headers", "multiValueHeaders", "cookies", "cookie", "Cookie", "origin", "x-csrf-token", "authorization")
_WORDS = (
    *(f'"{name}":' for name in (*_NAMES, "sec-fetch-site", "methodArn", "routeArn", "version")),
    *(f"{SESSION_COOKIE}=", SESSION_COOKIE.lower(), _LIVE, _DEAD, _CSRF, _ORIGIN, "; ", ",", '""', "null", "[]", "{}"),
    *("https://evil.test", "cross-site", "POST", "GET", "$connect", "\\u0000", "\\t", " "),
)
TARGET = Target("cookies", _prepare, _seeds, _WORDS)
