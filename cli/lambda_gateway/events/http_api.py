"""A request, and the event that an HTTP API hands to functions: payload format 2.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import re
import secrets
import string
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from lambda_gateway.model import DEFAULT_ROUTE, Api, Route
from lambda_gateway.runtime.process import new_trace_id
from lambda_gateway.template.intrinsics import ACCOUNT_ID

_HOST = re.compile(r"[A-Za-z0-9._~-]+(:[0-9]{1,5})?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_REQUEST_ID_ALPHABET = string.ascii_letters + string.digits
# Bodies of these types are handed over as text, every other as base64.
_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
_TEXT_SUFFIXES = ("+json", "+xml")


def new_request_id() -> str:
    """An id of API Gateway's form: 15 characters and `=`."""
    return "".join(secrets.choice(_REQUEST_ID_ALPHABET) for _ in range(15)) + "="


@dataclass(slots=True)
class Request:
    """One HTTP request as it came in. `headers` in order, names lower-case; `path` decoded; `query` as sent.

    A REST API reads `encoded_path`, the path as sent, where there is one.
    """

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""
    source_ip: str = "127.0.0.1"
    protocol: str = "HTTP/1.1"
    scheme: str = "http"
    encoded_path: str | None = None
    request_id: str = field(default_factory=new_request_id)
    trace_id: str = field(default_factory=new_trace_id)
    received: float = field(default_factory=time.time)

    def header(self, name: str) -> str | None:
        """All values of a header, joined as API Gateway joins them; None if there is none."""
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None

    @property
    def host(self) -> str:
        """`localhost` where there is none, as in HTTP/1.0."""
        host = self.header("host")
        return "localhost" if host is None else host

    @property
    def has_host(self) -> bool:
        """Whether `Host` is one host, by a name or an IPv4 address: what API Gateway is reached by."""
        return _HOST.fullmatch(self.host) is not None

    @property
    def domain(self) -> str:
        """The host without its port."""
        return self.host.partition(":")[0]

    @property
    def received_at(self) -> str:
        """When it came, as API Gateway writes it: 21/Nov/2026:20:15:00 +0000."""
        received = time.gmtime(self.received)
        # Not strftime alone: month names must not follow the machine's locale.
        return time.strftime(f"%d/{_MONTHS[received.tm_mon - 1]}/%Y:%H:%M:%S +0000", received)

    @property
    def forwarded(self) -> dict[str, str]:
        """The headers that API Gateway adds, names lower-case."""
        _, _, port = self.host.rpartition(":")
        default_port = "443" if self.scheme == "https" else "80"
        before = self.header("x-forwarded-for")
        return {
            "x-amzn-trace-id": self.trace_id.split(";", 1)[0],
            "x-forwarded-for": f"{before}, {self.source_ip}" if before else self.source_ip,
            "x-forwarded-port": port if port.isdecimal() else default_port,
            "x-forwarded-proto": self.scheme,
        }


def integration_event(
    api: Api, request: Request, route: Route, path_parameters: Mapping[str, str], authorizer_context: object = None
) -> dict[str, object]:
    """The event of a Lambda integration. `authorizer_context` is what the authorizer's `context` held, None without."""
    event = common_event(api, request, route, path_parameters, authorizer_context if route.authorizer else None)
    if request.body:
        event["body"], event["isBase64Encoded"] = encode_body(request.body, request.header("content-type"))
    else:
        event["isBase64Encoded"] = False
    return event


def encode_body(body: bytes, content_type: str | None) -> tuple[str, bool]:
    """The event's `body`, and whether it is base64."""
    media_type = (content_type or "text/plain").split(";", 1)[0].strip().lower()
    if media_type.startswith(_TEXT_TYPES) or media_type.endswith(_TEXT_SUFFIXES):
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def common_event(
    api: Api, request: Request, route: Route, path_parameters: Mapping[str, str], authorizer_context: object
) -> dict[str, object]:
    """What the events for functions and for authorizers have in common."""
    route_key = route.key
    headers, cookies = _headers(request)
    event: dict[str, object] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
    }
    if cookies:
        event["cookies"] = cookies
    event["headers"] = headers
    if request.query and (parameters := _query_parameters(request.query)):
        event["queryStringParameters"] = parameters
    event["requestContext"] = _request_context(api, request, route_key, authorizer_context)
    if path_parameters and route_key != DEFAULT_ROUTE:
        event["pathParameters"] = dict(path_parameters)
    if api.stage_variables:
        event["stageVariables"] = dict(api.stage_variables)
    return event


def _request_context(api: Api, request: Request, route_key: str, authorizer_context: object) -> dict[str, object]:
    context: dict[str, object] = {"accountId": ACCOUNT_ID, "apiId": api.id}
    if authorizer_context is not None:
        context["authorizer"] = {"lambda": authorizer_context}
    return context | {
        "domainName": request.domain,
        "domainPrefix": request.domain.split(".", 1)[0],
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": request.request_id,
        "routeKey": route_key,
        "stage": api.stage,
        "time": request.received_at,
        "timeEpoch": int(request.received * 1000),
    }


def _headers(request: Request) -> tuple[dict[str, str], list[str]]:
    """Headers joined by commas, without the cookies, which have a member of their own."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in request.headers:
        if name == "cookie":
            cookies.extend(cookie.strip() for cookie in value.split(";") if cookie.strip())
        elif name in headers:
            headers[name] = f"{headers[name]},{value}"
        else:
            headers[name] = value
    headers.setdefault("content-length", str(len(request.body)))
    return dict(sorted((headers | request.forwarded).items())), cookies


def _query_parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters
