"""A function's answer as a REST API's proxy integration reads it: stricter than an HTTP API, nothing is inferred.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html, "Output format"
"""

from __future__ import annotations

import json

from lambda_gateway.responses.http_api import MalformedAnswer, Response, read_body, read_headers, read_status

# A function's own are handed on under another name; the gateway, or nobody, sets the ones of this name.
_REMAPPED = {"content-md5", "date", "server", "user-agent", "www-authenticate"}
_MEMBERS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}


def from_proxy_answer(raw: bytes, *, binary: bool) -> Response:
    """The response that an answer (JSON) stands for. Raises MalformedAnswer.

    `binary` is whether the client accepts a type that the API declares binary: a base64 body is decoded only then.
    """
    try:
        answer = json.loads(raw)
    except ValueError as error:
        raise MalformedAnswer("the answer isn't JSON") from error
    if not isinstance(answer, dict) or "statusCode" not in answer:
        raise MalformedAnswer("the answer must be an object with `statusCode`")
    if foreign := sorted(set(answer) - _MEMBERS):
        raise MalformedAnswer(f"a REST API doesn't take {', '.join(f'`{name}`' for name in foreign)} in an answer")
    headers = _headers(answer.get("headers"), answer.get("multiValueHeaders"))
    body = read_body(answer.get("body"), answer.get("isBase64Encoded") is True and binary)
    if all(name != "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    renamed = [(f"x-amzn-remapped-{name}" if name in _REMAPPED else name, value) for name, value in headers]
    return Response(read_status(answer["statusCode"]), body, renamed)


def _headers(single: object, several: object) -> list[tuple[str, str]]:
    """Both kinds merged; of a name in both, the list's values count."""
    headers = read_headers(single)
    if several is None:
        return headers
    if not isinstance(several, dict) or not all(isinstance(values, list) for values in several.values()):
        raise MalformedAnswer("`multiValueHeaders` must be an object of lists")
    listed = [header for name, values in several.items() for value in values for header in read_headers({name: value})]
    names = {name for name, _ in listed}
    return [(name, value) for name, value in headers if name not in names] + listed
