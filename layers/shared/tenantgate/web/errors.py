"""Errors of requests that HTTP, a route or its models refuse."""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register

SYS_014 = register(
    "SYS_014",
    500,
    "This API doesn't know its own address",
    cause="A Lambda function without `PUBLIC_BASE_URL` serves only requests to the address that API Gateway gave the "
    "API, `https://<id>.execute-api.<region>.amazonaws.com`. This one came by another name, such as a custom domain.",
    remedy="Operators: set `PUBLIC_BASE_URL` (template parameter `PublicBaseUrl`) to the address that clients use.",
)


VAL_002 = register(
    "VAL_002",
    400,
    "The request body is not valid JSON",
    cause="The body could not be parsed.",
    remedy="Send one JSON object, encoded as UTF-8.",
)


VAL_003 = register(
    "VAL_003",
    413,
    "The request body is too large",
    cause="The body is longer than this API accepts.",
    remedy="Send less than 64 KiB.",
)


VAL_004 = register(
    "VAL_004",
    415,
    "The request body's media type is not supported",
    cause="`Content-Type` is missing or not the one that the endpoint takes.",
    remedy="Send `Content-Type: application/json`.",
)


VAL_005 = register(
    "VAL_005",
    404,
    "There is nothing at this path",
    cause="No route has this path, or the path names a thing that doesn't exist or isn't the caller's.",
    remedy="Compare the path with the API's documentation; a trailing slash counts.",
)


VAL_006 = register(
    "VAL_006",
    405,
    "The method is not allowed here",
    cause="The path exists, but not for this method.",
    remedy="Use one of the methods in the `Allow` header.",
)


VAL_007 = register(
    "VAL_007",
    400,
    "The request can be read in more than one way",
    cause="The path has a control character, a header that may come once came twice, or `Host` is malformed.",
    remedy="Send one `Host`, `Origin`, `Content-Type` and `Content-Length`, and a path without control characters.",
)


VAL_008 = register(
    "VAL_008",
    408,
    "The request took too long to arrive",
    cause="The headers were not complete 10 seconds after the connection or the previous request, or the body was not "
    "complete 20 seconds after the headers. Only the container returns this.",
    remedy="Send the whole request at once, and again on a new connection.",
)


VAL_009 = register(
    "VAL_009",
    431,
    "The request's headers are too large",
    cause="The request line and headers are longer than 32 KiB. API Gateway accepts 10,240 bytes, with its own 431.",
    remedy="Send fewer cookies or a shorter token.",
)


VAL_010 = register(
    "VAL_010",
    400,
    "The request can't be read as HTTP",
    cause="The request line, a header or the framing of the body violates RFC 9112. Only the container returns "
    "this: API Gateway rejects such requests itself.",
    remedy="Use an HTTP client library; a proxy in between must speak HTTP/1.1.",
)


class UnknownAddress(TenantgateError):
    error = SYS_014


class MalformedBody(TenantgateError):
    error = VAL_002


class BodyTooLarge(TenantgateError):
    error = VAL_003


class UnsupportedMediaType(TenantgateError):
    error = VAL_004


class NotFound(TenantgateError):
    error = VAL_005


class MethodNotAllowed(TenantgateError):
    error = VAL_006


class AmbiguousRequest(TenantgateError):
    error = VAL_007


class RequestTooSlow(TenantgateError):
    error = VAL_008


class HeadersTooLarge(TenantgateError):
    error = VAL_009


class MalformedRequest(TenantgateError):
    error = VAL_010
