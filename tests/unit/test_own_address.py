"""The API's own address counts only if API Gateway's event names it for the API's own id."""

from __future__ import annotations

import pytest

from tenantgate.own_address import own_address

REGION = "eu-central-1"
API = "a1b2c3d4e5"
NAME = f"{API}.execute-api.{REGION}.amazonaws.com"


@pytest.mark.parametrize(
    ("api_id", "region", "name"),
    [
        pytest.param(API, REGION, NAME, id="europe"),
        pytest.param(API, "us-gov-west-1", f"{API}.execute-api.us-gov-west-1.amazonaws.com", id="government"),
        pytest.param(API, "cn-north-1", f"{API}.execute-api.cn-north-1.amazonaws.com.cn", id="china"),
    ],
)
def test_the_name_of_the_apis_own_id_is_its_address(api_id: str, region: str, name: str) -> None:
    assert own_address({"apiId": api_id, "domainName": name}, region) == f"https://{name}"


@pytest.mark.parametrize(
    ("context", "region"),
    [
        pytest.param({"apiId": API, "domainName": "auth.example.com"}, REGION, id="custom-domain"),
        pytest.param({"apiId": API, "domainName": NAME}, "us-east-1", id="foreign-region"),
        pytest.param({"apiId": API, "domainName": NAME}, "", id="no-region"),
        pytest.param({"apiId": "f6g7h8i9j0", "domainName": NAME}, REGION, id="name-of-another-api"),
        pytest.param({"apiId": API, "domainName": NAME + ".evil.example"}, REGION, id="name-as-prefix"),
        pytest.param({"apiId": API, "domainName": "evil.example/" + NAME}, REGION, id="name-as-suffix"),
        pytest.param({"apiId": API, "domainName": NAME + ":8443"}, REGION, id="port"),
        pytest.param({"apiId": API, "domainName": NAME.upper()}, REGION, id="upper-case"),
        pytest.param({"apiId": API, "domainName": NAME + "."}, REGION, id="dot-at-the-end"),
        pytest.param(
            {"apiId": API, "domainName": f"{API}-vpce-0a1.execute-api.{REGION}.amazonaws.com"}, REGION, id="vpc"
        ),
        pytest.param({"apiId": API, "domainName": NAME + ".cn"}, REGION, id="china-elsewhere"),
        pytest.param(
            {"apiId": "a/b", "domainName": f"a/b.execute-api.{REGION}.amazonaws.com"}, REGION, id="id-with-slash"
        ),
        pytest.param({"apiId": "", "domainName": f".execute-api.{REGION}.amazonaws.com"}, REGION, id="no-id"),
        pytest.param({"apiId": 1, "domainName": f"1.execute-api.{REGION}.amazonaws.com"}, REGION, id="id-as-number"),
        pytest.param({"apiId": API}, REGION, id="no-name"),
        pytest.param(None, REGION, id="no-context"),
    ],
)
def test_any_other_name_does_not_count(context: object, region: str) -> None:
    assert own_address(context, region) is None
