"""The protocol of CloudFormation's custom resources. Standard library only.

CloudFormation invokes the function asynchronously and waits for a PUT to `ResponseURL`:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html. Without one, the stack hangs
until the resource's `ServiceTimeout`. The URL is signed: who has it can response, so it is never logged.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeIs
from urllib.parse import SplitResult, urlsplit

from tenantgate.errors.base import ValidationFailed

# Constant: a resource whose id changes would be deleted after the update.
PHYSICAL_ID = "tenantgate-schema"
LARGEST_RESPONSE = 4096
_LONGEST = {"ResponseURL": 8192, "StackId": 1024, "RequestId": 256, "LogicalResourceId": 256}
_TYPES = ("Create", "Update", "Delete")
_REVISION = re.compile(r"[A-Za-z0-9_]{1,64}")
# CloudFormation's response URLs are in its own buckets: bucket.s3.region.amazonaws.com, or the older s3-region.
_S3 = re.compile(
    r"(?:[a-z0-9][a-z0-9.-]{1,62}\.)?s3(?:[.-](?:dualstack\.)?[a-z]{2,4}(?:-[a-z]+)+-\d)?\.amazonaws\.com(?:\.cn)?"
)
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_ATTEMPT_SECONDS = 5.0
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)

type Status = Literal["SUCCESS", "FAILED"]


class ResponseLost(Exception):
    """No attempt reached CloudFormation. The text has no part of the URL."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of CloudFormation. `revision`: the property `SchemaRevision`, if the template has one."""

    kind: str
    url: SplitResult = field(repr=False)
    stack: str
    request: str
    resource: str
    revision: str | None


def is_custom_resource(event: object) -> TypeIs[Mapping[str, object]]:
    """Tell whether CloudFormation sent the event."""
    return isinstance(event, Mapping) and "ResponseURL" in event


def parse_request(event: Mapping[str, object], *, allow_loopback: bool) -> Request:
    """Return the request. Raises `ValidationFailed` for one that can't get a response.

    `allow_loopback` also takes URLs of this machine, for tests: never true in a deployment.
    """
    problems = [
        {"field": name, "problem": f"must be a string of 1 to {longest} characters"}
        for name, longest in _LONGEST.items()
        if not isinstance(value := event.get(name), str) or not 0 < len(value) <= longest
    ]
    if (kind := event.get("RequestType")) not in _TYPES:
        problems.append({"field": "RequestType", "problem": f"must be one of {', '.join(_TYPES)}"})
    properties = event.get("ResourceProperties")
    revision = properties.get("SchemaRevision") if isinstance(properties, Mapping) else None
    if revision is not None and not (isinstance(revision, str) and _REVISION.fullmatch(revision)):
        problems.append({"field": "SchemaRevision", "problem": "must be a revision"})
    url = _parse_url(str(event.get("ResponseURL")), allow_loopback=allow_loopback)
    if url is None:
        problems.append({"field": "ResponseURL", "problem": "must be an https URL of Amazon S3"})
    if problems or url is None:
        raise ValidationFailed(detail=problems)  # type: ignore[arg-type]
    stack, request, resource = (str(event[name]) for name in ("StackId", "RequestId", "LogicalResourceId"))
    return Request(str(kind), url, stack, request, resource, revision if isinstance(revision, str) else None)


def _parse_url(text: str, *, allow_loopback: bool) -> SplitResult | None:
    if not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        return None
    if url.username is not None or url.fragment:
        return None
    if allow_loopback and url.scheme == "http" and host in _LOOPBACK:
        return url
    return url if url.scheme == "https" and port in (None, 443) and _S3.fullmatch(host) else None


def response_body(
    request: Request, status: Status, *, reason: str = "", data: Mapping[str, str] | None = None
) -> bytes:
    """Return the response as JSON of less than 4,096 bytes; a longer reason is cut."""
    while True:
        body = json.dumps(
            {
                "Status": status,
                "Reason": reason or "see the function's log",
                "PhysicalResourceId": PHYSICAL_ID,
                "StackId": request.stack,
                "RequestId": request.request,
                "LogicalResourceId": request.resource,
                "Data": dict(data or {}),
            }
        ).encode()
        if len(body) < LARGEST_RESPONSE:
            return body
        reason = reason[: len(reason) * 3 // 4] if len(reason) > 4 else "too long"


def put(url: SplitResult, body: bytes, *, seconds: float) -> None:
    """Put the response; try again for `seconds`. Follows no redirect. Raises `ResponseLost`."""
    give_up_at = time.monotonic() + seconds
    problem = ""
    for pause in (*_PAUSES, 0.0):
        left = give_up_at - time.monotonic()
        try:
            status = _put_once(url, body, seconds=max(0.5, min(_ATTEMPT_SECONDS, left)))
        except (OSError, http.client.HTTPException) as error:
            problem = type(error).__name__
        else:
            if 200 <= status < 300:
                return
            problem = f"status {status}"
        if time.monotonic() + pause >= give_up_at:
            break
        time.sleep(pause)
    raise ResponseLost(problem)


def _put_once(url: SplitResult, body: bytes, *, seconds: float) -> int:
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connect(url.hostname or "", url.port, timeout=seconds)
    try:
        # The URL was signed for a request without a content type.
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("PUT", target, body, {"content-type": "", "content-length": str(len(body))})
        return connection.getresponse().status
    finally:
        connection.close()
