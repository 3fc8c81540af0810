"""The Lambda authorizer: any event gets a response that its integration accepts, or a 401; never a 500."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import override
from urllib.parse import unquote

from fuzz import world
from fuzz.building import joined, json_bytes, with_signature
from fuzz.judge import Finding
from fuzz.targets import Target, Try
from fuzz.world import FIRST, NOW, good_claims
from lambda_gateway.authorizers.policies import Effect, Policy
from tenantgate.authorizer.method_arn import MethodArn
from tenantgate.authorizer.service import Authorizer
from tenantgate.identity.credential import Credentials
from tenantgate.observability.logging import JsonFormatter
from tenantgate.route_rules.file import load_rules

_RULES = """version = 1
[[api]]
name = "fuzzed"
ids = ["*"]
[[api.route]]
route = "GET /orders/{id}"
scopes = ["orders:read"]
[[api.route]]
route = "POST /graphql"
[[api.route]]
route = "$connect"
[[api.route]]
route = "DELETE /orders/{id}"
scopes = ["orders:delete"]
[[api.route]]
route = "GET /admin"
scopes = ["admin"]
[[api.route]]
route = "GET /foreign"
issuers = ["https://another.example.test"]
[[api.route]]
route = "GET /files/{all+}"
[[api.route]]
route = "GET /public/{all+}"
public = true
"""
_API = "arn:aws:execute-api:eu-central-1:210987654321:k2j4h6g8f0/live"


def _token(**changes: object) -> str:
    header = json_bytes({"alg": "EdDSA", "kid": "ed25519-1", "typ": "at+jwt"})
    return with_signature(joined(header, json_bytes(good_claims(FIRST, **changes))), "ed25519-1", "EdDSA")


# Placeholders for tokens, so that the fuzzer doesn't spend its time mutating a token.
_GOOD, _EXPIRED, _NO_TENANT = b"$GOOD", b"$EXPIRED", b"$NO_TENANT"
_TOKENS = {
    _GOOD: _token().encode(),
    _EXPIRED: _token(iat=NOW - 4000, exp=NOW - 600).encode(),
    _NO_TENANT: _token(tenant_id="none").encode(),
}


class _Lines(logging.Handler):
    """Renders every log line and searches it for tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter(service="fuzz"))

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            # The cause that the authorizer hides behind a 500.
            raise Finding("the authorizer made no decision") from record.exc_info[1]
        line = self.format(record)
        if "\n" in line or not isinstance(json.loads(line), dict):
            raise Finding("a log line that is not a JSON object")
        if any(token.decode()[-80:] in line for token in _TOKENS.values()):
            raise Finding("a token in the log")


def _opens(response: Mapping[str, object]) -> bool:
    document = response.get("policyDocument")
    if response.get("isAuthorized") is True:
        return True
    statements = document.get("Statement", []) if isinstance(document, dict) else []
    return any(statement["Effect"] != "Deny" for statement in statements)


def _only_public(response: Mapping[str, object]) -> bool:
    return response.get("principalId") in (None, "unauthenticated") and "user_id" not in _context(response)


def _context(response: Mapping[str, object]) -> Mapping[str, object]:
    context = response.get("context", response.get("resolverContext"))
    if not isinstance(context, dict) or not all(isinstance(value, str | int) for value in context.values()):
        raise Finding("a context that no integration accepts")
    return context


def _check(response: Mapping[str, object], event: object, *, good: bool) -> None:
    # Lambda's runtime serializes it like this.
    json.dumps(response, allow_nan=False, ensure_ascii=False).encode()
    context = _context(response)
    if not good and (not _only_public(response) or "tenant_id" in context):
        raise Finding("a caller was identified without a valid token")
    if _opens(response) and not good and "/public/" not in json.dumps(event) and "policyDocument" not in response:
        raise Finding("a yes without a valid token")
    if response.get("isAuthorized") is True:
        _check_yes(event)
    if "policyDocument" in response and isinstance(event, dict):
        _check_policy(response, event)


def _check_yes(event: object) -> None:
    """Check that a yes of payload 2.0 is for an allowed route and for the path in the event."""
    if _method(event) == "DELETE":
        raise Finding("a yes without the scope")
    arn = event.get("routeArn") if isinstance(event, dict) else None
    if isinstance(arn, str) and isinstance(event, dict):
        path = "/" + "/".join(arn.split("/")[3:])
        _check_path(path)
        own = event.get("rawPath")
        if isinstance(own, str) and unquote(path).rstrip("/") not in unquote(own):
            raise Finding("a yes for another path than the event's")
        if event.get("routeKey") in ("GET /admin", "GET /foreign"):
            raise Finding("a yes against the matched route")


def _check_path(path: str) -> None:
    folded = unquote(path).rstrip("/ .").partition(";")[0]
    if folded in ("/admin", "/foreign") or any(character < " " for character in unquote(path)):
        raise Finding(f"a yes for {path!r}")


def _check_policy(response: Mapping[str, object], event: Mapping[str, object]) -> None:
    """Check the policy against denied paths on the request's stage."""
    arn = event.get("routeArn" if event.get("version") == "2.0" else "methodArn")
    try:
        stage = MethodArn.parse(str(arn)).stage_arn
    except ValueError:
        return
    document = Policy(response["policyDocument"])
    for path in _DENIED:
        if document.effect_on(f"{stage}GET{path}") is Effect.ALLOW:
            raise Finding(f"a policy that allows {path!r}")


_DENIED = (
    "/admin",
    "/admin/",
    "/admin%2F",
    "/admin;v",
    "/%61dmin",
    "/foreign",
    "/foreign/",
    "/files/../admin",
    "/files/%2e%2e/x",
)


def _method(event: object) -> object:
    """Return the method in an event of payload 2.0."""
    for name in ("requestContext", "http", "method"):
        event = event.get(name) if isinstance(event, dict) else None
    return event


def _prepare() -> Try:
    logger = logging.getLogger("tenantgate.authorizer")
    logger.handlers[:], logger.propagate = [_Lines()], False
    logger.setLevel(logging.DEBUG)
    authorizer = Authorizer(Credentials(world.credential()), load_rules(_RULES), clock=world.now)

    def try_bytes(data: bytes) -> None:
        good = _GOOD in data or _TOKENS[_GOOD] in data
        for name, token in _TOKENS.items():
            data = data.replace(name, token)
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
        _check(response, event, good=good)

    return try_bytes


def _event(**members: object) -> bytes:
    return json.dumps(members).encode()


_ASKED = (
    *("GET/orders/42", "DELETE/orders/42", "GET/public/a/b", "GET/none", "GET/orders/4%32", "GET/admin", "GET/admin/"),
    *("GET/foreign", "GET/files/a/b/", "GET/admin%2F", "GET/files/a;v=1", "GET/admin\n"),
)


def _seeds() -> list[bytes]:
    seeds = []
    for token in ("$GOOD", "$EXPIRED", "$NO_TENANT"):
        bearer = {"Authorization": f"Bearer {token}", "X-Request-Id": "0123456789abcdef"}
        for route in _ASKED:
            arn, (method, _, path) = f"{_API}/{route}", route.partition("/")
            context = {"requestId": "5c1d9e7a-0b3f", "http": {"method": method, "path": f"/{path}"}, "stage": "live",
                       "domainName": "k2j4h6g8f0.execute-api.eu-central-1.amazonaws.com"}  # fmt: skip
            rest = {"type": "REQUEST", "methodArn": arn, "httpMethod": method, "headers": bearer, "path": f"/{path}",
                    "resource": "/orders/{id}" if path.startswith("orders") else f"/{path}"}  # fmt: skip
            v2 = {"rawPath": f"/live/{path}", "routeKey": f"{method} /{path}"}
            seeds += [
                _event(type="TOKEN", methodArn=arn, authorizationToken=f"Bearer {token}"),
                _event(**rest, multiValueHeaders={"Authorization": [f"Bearer {token}"]}, requestContext=context),
                _event(version="1.0", **rest, requestContext=context),
                _event(version="2.0", type="REQUEST", routeArn=arn, requestContext=context, **v2,
                       headers={"authorization": f"Bearer {token}"}, stageVariables={"tenantgate_answer": "simple"}),
                _event(version="2.0", type="REQUEST", routeArn=arn, requestContext=context, **v2,
                       headers={"authorization": f"Bearer {token}"}, stageVariables={"tenantgate_answer": "policy"}),
            ]  # fmt: skip
        connect = {"eventType": "CONNECT", "requestId": "5c1d9e7a"}
        protocol = {"Sec-WebSocket-Protocol": f"graphql-ws, bearer, {token}"}
        seeds += [
            _event(type="REQUEST", methodArn=f"{_API}/$connect", headers=bearer, requestContext=connect),
            _event(type="REQUEST", methodArn=f"{_API}/$connect", headers=protocol, requestContext=connect),
            _event(authorizationToken=token, requestContext={"apiId": "a1", "queryString": "{ a }", "requestId": "r"}),
        ]
    return seeds


_MEMBERS = (
    "type",
    "version",
    "headers",
    "authorization",
    "methodArn",
    "routeArn",
    "requestContext",
    "stageVariables",
    "rawPath",
    "path",
)
_MORE = ("routeKey", "resource", "multiValueHeaders", "domainName", "sec-websocket-protocol")
_VALUES = (
    '"REQUEST"',
    '"TOKEN"',
    '"1.0"',
    '"2.0"',
    "Bearer ",
    _API,
    "/GET/",
    "%2f",
    "%61",
    "%0a",
    ";",
    "bearer, ",
    "graphql-ws, ",
    "/admin",
    "null",
    "[]",
    "{}",
    "1e400",
    "\\ud800",
)
_WORDS = (*(name.decode() for name in _TOKENS), *(f'"{name}":' for name in (*_MEMBERS, *_MORE)), *_VALUES)
TARGET = Target("authorizer", _prepare, _seeds, _WORDS)
