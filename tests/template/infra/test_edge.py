"""CloudFront and the firewall: nothing is cached, changed or logged that belongs to one caller."""

import json
from typing import Any

import pytest

from lambda_gateway.template.document import load_template
from tenantgate_cli.paths import TEMPLATE
from tests.fixtures.template.nested import nested

EDGE = nested("edge")
CONFIG = EDGE.properties("Distribution")["DistributionConfig"]
BEHAVIOR = CONFIG["DefaultCacheBehavior"]
FIREWALL = EDGE.properties("Firewall")


def test_no_response_is_cached() -> None:
    # The id of AWS's policy CachingDisabled.
    assert BEHAVIOR["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert "CacheBehaviors" not in CONFIG


def test_responses_arrive_unchanged() -> None:
    assert "ResponseHeadersPolicyId" not in BEHAVIOR
    assert "CustomErrorResponses" not in CONFIG
    assert "FunctionAssociations" not in BEHAVIOR
    assert BEHAVIOR["Compress"] is False


def test_the_api_gets_the_whole_request_except_its_host_header_once() -> None:
    # The id of AWS's policy AllViewerExceptHostHeader.
    assert BEHAVIOR["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    assert set(BEHAVIOR["AllowedMethods"]) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}
    assert [origin["ConnectionAttempts"] for origin in CONFIG["Origins"]] == [1]


def test_both_sides_use_current_tls() -> None:
    (origin,) = CONFIG["Origins"]

    assert BEHAVIOR["ViewerProtocolPolicy"] == "redirect-to-https"
    assert CONFIG["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert origin["CustomOriginConfig"]["OriginSSLProtocols"] == ["TLSv1.2"]


def test_cloudfront_can_identify_itself_to_the_api() -> None:
    (origin,) = CONFIG["Origins"]

    assert origin["CustomOriginConfig"]["OriginMtlsConfig"] == {
        "Fn::If": [
            "HasOriginCertificate",
            {"ClientCertificateArn": {"Ref": "OriginCertificateArn"}},
            {"Ref": "AWS::NoValue"},
        ]
    }


def test_the_apis_domain_can_require_that_certificate() -> None:
    document: Any = load_template(TEMPLATE)
    domain = document["Resources"]["ApiDomain"]["Properties"]
    (assertion,) = document["Rules"]["TrustStoreIsUsed"]["Assertions"]

    assert domain["MutualTlsAuthentication"] == {
        "Fn::If": ["HasTrustStore", {"TruststoreUri": {"Ref": "DomainTrustStore"}}, {"Ref": "AWS::NoValue"}]
    }
    # API Gateway's own endpoint would still accept every client.
    assert assertion["Assert"] == {"Fn::Equals": [{"Ref": "ExecuteApiEndpoint"}, "disabled"]}


def test_the_firewall_protects_the_distribution() -> None:
    assert CONFIG["WebACLId"] == {"Fn::GetAtt": ["Firewall", "Arn"]}
    assert FIREWALL["Scope"] == "CLOUDFRONT"
    assert [rule["Name"] for rule in FIREWALL["Rules"]] == [
        "address-limit",
        "reputation",
        "known-bad-inputs",
        "common",
    ]
    # The limit comes first, so that a flood isn't paid for rule by rule.
    assert [rule["Priority"] for rule in FIREWALL["Rules"]] == [0, 1, 2, 3]
    assert FIREWALL["Rules"][0]["Action"] == {"Block": {}}
    assert all(rule["OverrideAction"] == {"None": {}} for rule in FIREWALL["Rules"][1:])


def test_no_cookie_token_or_query_string_is_shown_or_logged() -> None:
    delivery = EDGE.properties("FirewallLogDelivery")
    redacted = json.dumps(delivery["RedactedFields"])
    fields = EDGE.properties("AccessLogDelivery")["RecordFields"]
    views = [FIREWALL["VisibilityConfig"], *(rule["VisibilityConfig"] for rule in FIREWALL["Rules"])]

    # The console shows sampled requests with all headers.
    assert {view["SampledRequestsEnabled"] for view in views} == {False}
    for name in ("QueryString", "authorization", "cookie", "x-api-key", "x-csrf-token", "referer"):
        assert f'"{name}"' in redacted
    assert not [field for field in fields if any(part in field.lower() for part in ("query", "cookie", "referer"))]
    # This form of the log has query strings and cookies.
    assert "Logging" not in CONFIG


@pytest.mark.parametrize(
    ("zone", "records"), [pytest.param("Z123", {"A", "AAAA"}, id="zone"), pytest.param("", set(), id="no-zone")]
)
def test_records_are_a_choice(zone: str, records: set[str]) -> None:
    made = EDGE.resources("AWS::Route53::RecordSet", HostedZoneId=zone)

    assert {body["Properties"]["Type"] for body in made.values()} == records
