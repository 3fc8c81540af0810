"""Events that API Gateway and AppSync send to an authorizer, in one form. The event itself says which shape it has.

    TOKEN of a REST API                 `type` TOKEN, `methodArn`, `authorizationToken`
    REQUEST of a REST API               `type` REQUEST, `methodArn`, no `version`
    REQUEST of an HTTP API, payload 1.0 `type` REQUEST, `methodArn`, `version` 1.0
    REQUEST of an HTTP API, payload 2.0 `type` REQUEST, `routeArn`, `version` 2.0
    REQUEST of a WebSocket API          `type` REQUEST, `methodArn`, `requestContext.eventType` CONNECT
    AppSync (GraphQL)                   no `type`; `requestContext.queryString`, `authorizationToken`

An event of payload 2.0 doesn't say whether the HTTP API expects a boolean or a policy (`EnableSimpleResponses`). A
stage that expects policies says so in its stage variable `tenantgate_answer`; the API's owner sets stage variables, no
client can.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
https://docs.aws.amazon.com/appsync/latest/devguide/security-authz.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tenantgate.authorizer.method_arn import MethodArn
from tenantgate.errors.access import AuthenticationRequired
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from typing import Final, Literal

type Kind = Literal[
    "rest-token", "rest-request", "http-1.0", "http-2.0", "http-2.0-policy", "websocket", "appsync", "unknown"
]

REST_TOKEN: Final = "rest-token"  # noqa: S105 - the name of a shape
REST_REQUEST: Final = "rest-request"
HTTP_1: Final = "http-1.0"
HTTP_2: Final = "http-2.0"
HTTP_2_POLICY: Final = "http-2.0-policy"
WEBSOCKET: Final = "websocket"
APPSYNC: Final = "appsync"
UNKNOWN: Final = "unknown"

ANSWER_VARIABLE = "tenantgate_answer"

# The names in the route rules of the two shapes that have no HTTP route.
WEBSOCKET_ROUTE = ("$connect", "")
APPSYNC_ROUTE = ("POST", "/graphql")

_EMPTY: Mapping[str, object] = {}


class MalformedEvent(Exception):
    """An event of no known shape, or without a member that its shape requires. It is always denied.

    `problem` says what is wrong.
    """

    def __init__(self, kind: Kind, problem: str) -> None:
        super().__init__(problem)
        self.kind = kind
        self.problem = problem


class AuthorizerCall(Record):
    """A request to decide on.

    `path` begins with a slash, except for `$connect`, which has no path. `arn` is the source of API, method and path,
    because API Gateway compares policies with it; it is None for AppSync. `route` is the pattern of the API's route
    that matched the request, if the event names one. `gateway_request_id` is the id that the client sees; it is None
    for a TOKEN event.
    """

    __slots__ = ()

    kind: Kind
    api_id: str
    method: str
    path: str
    arn: MethodArn | None
    gateway_request_id: str | None
    headers: Mapping[str, object]
    event: Mapping[str, object]
    route: str | None = None

    def header(self, name: str) -> str | None:
        """Return a header's value by its lower-case name.

        Raises `AuthenticationRequired` when it was sent more than once: which of them counts would be a guess.
        """
        # Comparing lengths first saves writing most headers in lower case.
        length = len(name)
        found = [value for key, value in self.headers.items() if len(key) == length and key.lower() == name]
        if not found:
            return None
        several = self.event.get("multiValueHeaders")
        if len(found) > 1 or (several is not None and _sent_more_than_once(_mapping(several), name)):
            raise AuthenticationRequired("a header was sent more than once", header=name)
        return found[0] if isinstance(found[0], str) else None

    def authorization(self) -> str | None:
        """Return the credential in the form of an `Authorization` header, wherever this shape carries it.

        Raises `AuthenticationRequired` when there are several.
        """
        if self.kind in (REST_TOKEN, APPSYNC):
            token = _text(self.event.get("authorizationToken"))
            # AppSync's clients send the token without a scheme; a bearer token contains no blank.
            return f"Bearer {token}" if token and self.kind == APPSYNC and " " not in token else token or None
        value = self.header("authorization")
        if self.kind == WEBSOCKET:
            of_protocol = _websocket_bearer(self._subprotocols())
            if value is not None and of_protocol is not None:
                # RFC 6750 §2: one method for a request.
                raise AuthenticationRequired("a bearer token was sent in two ways", header="sec-websocket-protocol")
            return value if value is not None else of_protocol
        return value

    def _subprotocols(self) -> str | None:
        """The subprotocols that a WebSocket client offers; several header lines are one list (RFC 6455 §11.3.4)."""
        name = "sec-websocket-protocol"
        several = _mapping(self.event.get("multiValueHeaders"))
        sent = [lines for key, lines in several.items() if key.lower() == name and isinstance(lines, list)]
        lines = [*sent[0]] if len(sent) == 1 else [self.header(name)]
        return ",".join(line for line in lines if isinstance(line, str)) or None


def read_event(event: object) -> AuthorizerCall:
    """Read an event of any shape. Raises `MalformedEvent`."""
    if not isinstance(event, dict):
        raise MalformedEvent(UNKNOWN, "the event is not an object")
    version, of_type = event.get("version"), event.get("type")
    if of_type == "REQUEST":
        if version == "2.0":
            return _http_2(event)
        if version == "1.0":
            return _call(HTTP_1, event, _request_context(HTTP_1, event), event.get("httpMethod"))
        if version is None:
            return _rest_or_websocket(event)
    elif of_type == "TOKEN" and version is None:
        return _rest_token(event)
    elif of_type is None and version is None and "authorizationToken" in event and "requestContext" in event:
        return _appsync(event)
    raise MalformedEvent(UNKNOWN, "the event is of no known shape")


def _http_2(event: Mapping[str, object]) -> AuthorizerCall:
    expected = _mapping(event.get("stageVariables")).get(ANSWER_VARIABLE, "simple")
    kind: Kind = HTTP_2_POLICY if expected == "policy" else HTTP_2
    if expected not in ("policy", "simple"):
        raise MalformedEvent(kind, f"the stage variable {ANSWER_VARIABLE} is neither simple nor policy")
    context = _request_context(kind, event)
    return _call(kind, event, context, _mapping(context.get("http")).get("method"))


def _rest_or_websocket(event: Mapping[str, object]) -> AuthorizerCall:
    context = _request_context(REST_REQUEST, event)
    if context.get("eventType") != "CONNECT":
        return _call(REST_REQUEST, event, context, event.get("httpMethod"))
    arn = _arn(WEBSOCKET, event, "methodArn")
    if arn.method != "$connect" or arn.path:
        raise MalformedEvent(WEBSOCKET, "only $connect has an authorizer")
    return AuthorizerCall(WEBSOCKET, arn.api_id, *WEBSOCKET_ROUTE, arn, *_id_and_headers(event, context), event)


def _rest_token(event: Mapping[str, object]) -> AuthorizerCall:
    arn = _arn(REST_TOKEN, event, "methodArn")
    method = _method(REST_TOKEN, arn.method)
    return AuthorizerCall(
        REST_TOKEN, arn.api_id, method, arn.path or "/", arn, None, _mapping(event.get("headers")), event
    )


def _call(kind: Kind, event: Mapping[str, object], context: Mapping[str, object], own_method: object) -> AuthorizerCall:
    """Read a REQUEST event of a REST or HTTP API. `own_method` is the method that the event names outside the ARN."""
    version_2 = kind in (HTTP_2, HTTP_2_POLICY)
    arn_member = "routeArn" if version_2 else "methodArn"
    arn = _arn(kind, event, arn_member)
    method = _method(kind, own_method)
    if method != arn.method:
        raise MalformedEvent(kind, f"{arn_member} is for another method than the request's")
    # The ARN's path counts: `rawPath` begins with the stage's name, except for $default.
    path = _agreed_path(kind, arn, event.get("rawPath" if version_2 else "path"), context)
    named = event.get("routeKey" if version_2 else "resource")
    # `GET /orders/{id}` of an HTTP API, or `$default`, which matches no pattern.
    route = named.rpartition(" ")[2] if isinstance(named, str) else None
    return AuthorizerCall(kind, arn.api_id, method, path, arn, *_id_and_headers(event, context), event, route)


def _method(kind: Kind, method: object) -> str:
    if not isinstance(method, str) or not method.isalpha() or not method.isupper():
        raise MalformedEvent(kind, "the method is missing")
    return method


def _agreed_path(kind: Kind, arn: MethodArn, own: object, context: Mapping[str, object]) -> str:
    """The path of the ARN, once the request's own path agrees. Raises `MalformedEvent`.

    The request's own path may begin with the stage's name or a custom domain's base path, and may be decoded if the
    ARN's is not, or the other way round. A slash at the end counts when either has it.
    """
    path = arn.path or "/"
    if own is None or own in (path, f"/{arn.stage}{path}"):
        return path
    if not isinstance(own, str):
        raise MalformedEvent(kind, "the path is not text")
    given, asked = own, path
    if "%" in own or "%" in path:
        from urllib.parse import unquote  # noqa: PLC0415  (rare, and a slow import)

        given, asked = unquote(own), unquote(path)
    given, asked = given.rstrip("/"), asked.rstrip("/")
    prefix = given[: len(given) - len(asked)]
    if prefix + asked != given or not _is_prefix(prefix, arn.stage, context):
        raise MalformedEvent(kind, "the ARN is for another path than the request's")
    return path if own[-1:] != "/" or path[-1:] == "/" else f"{path}/"


def _is_prefix(prefix: str, stage: str, context: Mapping[str, object]) -> bool:
    """Tell whether this may precede the ARN's path: the stage or, on a custom domain, a base path."""
    if not prefix or prefix == f"/{stage}":
        return True
    domain = _text(context.get("domainName"))
    return prefix[0] == "/" and domain is not None and ".execute-api." not in domain


def _arn(kind: Kind, event: Mapping[str, object], member: str) -> MethodArn:
    try:
        return MethodArn.parse(_text(event.get(member)) or "")
    except ValueError as problem:
        raise MalformedEvent(kind, f"{member} {problem}") from None


def _appsync(event: Mapping[str, object]) -> AuthorizerCall:
    context = _request_context(APPSYNC, event)
    if "operation" in context:
        # A subscription to `/news/*` takes every channel below, which no rule for one path decides on.
        raise MalformedEvent(APPSYNC, "AppSync Events isn't supported, only AppSync's GraphQL APIs")
    api_id = _text(context.get("apiId"))
    if not api_id or not isinstance(context.get("queryString"), str):
        raise MalformedEvent(APPSYNC, "requestContext lacks apiId or queryString")
    request_id = _text(context.get("requestId"))
    headers = _mapping(event.get("requestHeaders"))
    return AuthorizerCall(APPSYNC, api_id, *APPSYNC_ROUTE, None, request_id, headers, event)


def _request_context(kind: Kind, event: Mapping[str, object]) -> Mapping[str, object]:
    context = event.get("requestContext")
    if not isinstance(context, dict) or not isinstance(context.get("requestId"), str):
        raise MalformedEvent(kind, "requestContext is missing, or has no requestId")
    return context


def _id_and_headers(
    event: Mapping[str, object], context: Mapping[str, object]
) -> tuple[str | None, Mapping[str, object]]:
    return _text(context.get("requestId")), _mapping(event.get("headers"))


def _websocket_bearer(protocols: str | None) -> str | None:
    """The token behind `bearer` in `Sec-WebSocket-Protocol`: a browser can set no other header on a WebSocket.

    The pair may be anywhere among the application's own subprotocols: `graphql-ws, bearer, <token>`. Never read it from
    the query string, which ends up in access logs and histories (RFC 9700 §4.3.2). Raises `AuthenticationRequired` when
    `bearer` is there more than once.
    """
    offered = [protocol.strip(" \t") for protocol in (protocols or "").split(",")]
    places = [place for place, protocol in enumerate(offered) if protocol.lower() == "bearer"]
    if len(places) > 1:
        raise AuthenticationRequired("a bearer token was sent more than once", header="sec-websocket-protocol")
    return f"Bearer {offered[places[0] + 1]}" if places and places[0] + 1 < len(offered) else None


def _sent_more_than_once(several: Mapping[str, object], name: str) -> bool:
    sent = [values for key, values in several.items() if key.lower() == name]
    return len(sent) > 1 or any(isinstance(values, list) and len(values) > 1 for values in sent)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else _EMPTY


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
