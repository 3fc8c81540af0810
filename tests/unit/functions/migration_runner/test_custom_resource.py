"""CloudFormation's protocol: who gets a response, and how large it may be."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from functions.migration_runner.custom_resource import Request, is_custom_resource, parse_request, response_body
from tenantgate.errors.base import ValidationFailed

HOST = "cloudformation-custom-resource-response-eucentral1.s3.eu-central-1.amazonaws.com"
URL = f"https://{HOST}/arn%3Aaws%3Acloudformation?X-Amz-Signature=canary"
EVENT: dict[str, Any] = {
    "RequestType": "Create",
    "ResponseURL": URL,
    "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/tenantgate/1a2b",
    "RequestId": "request-1",
    "LogicalResourceId": "Migrations",
    "ResourceProperties": {"SchemaRevision": "0007"},
}


@pytest.mark.parametrize(
    ("event", "expected"),
    [(EVENT, True), ({"ResponseURL": 1}, True), ({"action": "upgrade"}, False), (None, False), ([], False)],
)
def test_an_event_of_cloudformation_is_recognized(event: object, expected: bool) -> None:
    assert is_custom_resource(event) is expected


def test_a_request_has_the_members_of_its_event() -> None:
    request = parse_request(EVENT, allow_loopback=False)
    assert (request.kind, request.request, request.resource, request.revision) == (
        "Create",
        "request-1",
        "Migrations",
        "0007",
    )
    assert "canary" not in repr(request)


@pytest.mark.parametrize(
    "host",
    [
        HOST,
        "bucket.s3-us-east-2.amazonaws.com",
        "bucket.s3.amazonaws.com",
        "bucket.s3.dualstack.us-gov-west-1.amazonaws.com",
        "bucket.s3.cn-north-1.amazonaws.com.cn",
        "s3.eu-central-1.amazonaws.com",
        f"{HOST}:443",
    ],
)
def test_amazon_s3_gets_the_response(host: str) -> None:
    assert parse_request(EVENT | {"ResponseURL": f"https://{host}/a?b"}, allow_loopback=False).url.netloc == host


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/a",
        "https://example.com/a",
        "https://s3.example.com/a",
        "https://s3.amazonaws.com.example.com/a",
        "https://bucket.s3.eu-central-1.amazonaws.com.evil.example/a",
        "https://bucket-s3.eu-central-1.amazonaws.com/a",
        "https://id.execute-api.eu-central-1.amazonaws.com/a",
        "https://s3-1.eu-central-1.elb.amazonaws.com/a",
        f"https://user@{HOST}/a",
        f"https://example.com@{HOST}/a",
        f"https://{HOST}@example.com/a",
        f"https://{HOST}:8443/a",
        f"https://{HOST}:x/a",
        f"https://{HOST}/a#b",
        f"https://{HOST}/a\r\nx: y",
        f"https://{HOST}/a b",
        f"https://{HOST}\u3002example.com/a",
        "https://169.254.169.254/latest",
        "https://127.0.0.1/a",
        "http://127.0.0.1:9001/a",
        "file:///etc/passwd",
        "",
        "x" * 8193,
        7,
        None,
    ],
)
def test_nothing_else_gets_it(url: object) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_request(EVENT | {"ResponseURL": url}, allow_loopback=False)
    assert isinstance(refused.value.detail, list)
    assert "ResponseURL" in {problem["field"] for problem in refused.value.detail}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a", "http://[::1]:9/a"])
def test_a_test_may_send_it_to_this_machine(url: str) -> None:
    assert parse_request(EVENT | {"ResponseURL": url}, allow_loopback=True).url.geturl() == url
    for other in ("http://192.0.2.1/a", "http://localhost.example.com/a", "https://127.0.0.1/a"):
        with pytest.raises(ValidationFailed):
            parse_request(EVENT | {"ResponseURL": other}, allow_loopback=True)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"RequestType": "Drop"}, "RequestType"),
        ({"RequestType": ["Create"]}, "RequestType"),
        ({"StackId": ""}, "StackId"),
        ({"StackId": "x" * 1025}, "StackId"),
        ({"RequestId": 1}, "RequestId"),
        ({"LogicalResourceId": None}, "LogicalResourceId"),
        ({"ResourceProperties": {"SchemaRevision": "'; DROP"}}, "SchemaRevision"),
        ({"ResourceProperties": {"SchemaRevision": 7}}, "SchemaRevision"),
    ],
)
def test_an_event_that_cannot_get_a_response_is_refused(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_request(EVENT | changes, allow_loopback=False)
    assert isinstance(refused.value.detail, list)
    assert [problem["field"] for problem in refused.value.detail] == [field]


@pytest.mark.parametrize("properties", [None, [], {}, {"Other": "x"}])
def test_the_revision_is_optional(properties: object) -> None:
    assert parse_request(EVENT | {"ResourceProperties": properties}, allow_loopback=False).revision is None


@pytest.mark.parametrize("reason", ["", "short", "x" * 10_000, "\u20ac" * 5_000, "\0" * 5_000], ids=len)
def test_a_response_is_small_for_any_reason(reason: str) -> None:
    request = Request("Update", urlsplit(URL), "s" * 1024, "r" * 256, "l" * 256, None)
    body = response_body(request, "FAILED", reason=reason, data={"SchemaRevision": "0007"})
    response = json.loads(body)
    assert len(body) < 4096
    assert response.pop("Reason")
    assert response == {
        "Status": "FAILED",
        "PhysicalResourceId": "tenantgate-schema",
        "StackId": request.stack,
        "RequestId": request.request,
        "LogicalResourceId": request.resource,
        "Data": {"SchemaRevision": "0007"},
    }
