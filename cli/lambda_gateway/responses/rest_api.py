"""Responses of a REST API from its functions: stricter than an HTTP API, nothing is inferred.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html, "Output format"
"""

from __future__ import annotations

from lambda_gateway.responses.response import (
    MalformedResponse,
    Response,
    load,
    read_body,
    read_headers,
    read_status,
)

# API Gateway renames these headers of a function: only the gateway itself sends the original names.
_REMAPPED = {"content-md5", "date", "server", "user-agent", "www-authenticate"}
_MEMBERS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}


def from_function(raw: bytes, *, binary: bool) -> Response:
    """Build the response from that of a function (JSON). Raises MalformedResponse.

    A base64 body is decoded only if `binary`: the client accepts a type that the API declares binary.
    """
    given = load(raw)
    if not isinstance(given, dict) or "statusCode" not in given:
        raise MalformedResponse("the response must be an object with `statusCode`")
    if unknown := sorted(set(given) - _MEMBERS):
        names = ", ".join(f"`{name}`" for name in unknown)
        raise MalformedResponse(f"a REST API doesn't accept {names} in a function's response")
    headers = _headers(given.get("headers"), given.get("multiValueHeaders"))
    body = read_body(given.get("body"), given.get("isBase64Encoded") is True and binary)
    if all(name != "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    renamed = [(f"x-amzn-remapped-{name}" if name in _REMAPPED else name, value) for name, value in headers]
    return Response(read_status(given["statusCode"]), body, renamed)


def _headers(single: object, multiple: object) -> list[tuple[str, str]]:
    """Merge both members. For a name in both, `multiValueHeaders` wins."""
    headers = read_headers(single)
    if multiple is None:
        return headers
    if not isinstance(multiple, dict) or not all(isinstance(values, list) for values in multiple.values()):
        raise MalformedResponse("`multiValueHeaders` must be an object of lists")
    listed = [header for name, values in multiple.items() for value in values for header in read_headers({name: value})]
    names = {name for name, _ in listed}
    return [(name, value) for name, value in headers if name not in names] + listed
