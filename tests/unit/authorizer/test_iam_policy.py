"""The policy document: its limits, and the Deny for the path of a denied request."""

from __future__ import annotations

import json
import re
from bisect import bisect_left

import pytest

from tenantgate.authorizer.iam_policy import (
    LARGEST_POLICY,
    LONGEST_RESOURCE,
    CompiledPolicy,
    compile_policy,
    without_own_path,
)
from tenantgate.authorizer.method_arn import MethodArn
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.model import METHODS, RouteRule
from tenantgate.web.route_rules import failure_of
from tests.fixtures.authorizer.iam import allows

STAGE = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/"
NOW = 1_800_000_000.0


def compiled(*patterns: str, path: str = "/a", decoded: bool = False, stage: str = STAGE) -> CompiledPolicy:
    rules = ApiRules("api", [RouteRule("GET", pattern, public=True) for pattern in patterns])
    return compile_policy(rules, None, arn=MethodArn.parse(f"{stage}GET{path}"), now=NOW, decoded=decoded)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_any_means_each_of_the_seven_methods(method: str) -> None:
    rules = ApiRules("api", [RouteRule("ANY", "/a", public=True), RouteRule("ANY", "/b/{x}", public=True)])
    policy = compile_policy(rules, None, arn=MethodArn.parse(f"{STAGE}GET/a"), now=NOW)

    assert len(METHODS) == 7
    assert rules.decide(method, "/a", None, now=NOW).allowed
    assert allows(policy.document, f"{STAGE}{method}/a")
    assert allows(policy.document, f"{STAGE}{method}/b/1")
    assert not allows(policy.document, f"{STAGE}TRACE/a")


def test_a_policy_of_exactly_the_largest_size_is_complete_and_one_more_character_is_not() -> None:
    # Each resource costs its length and three characters; the rest of the document counts as 200.
    count = 60
    room = LARGEST_POLICY - 201 - count * (len(STAGE) + 3 + len("GET"))
    lengths = [room // count + (number < room % count) for number in range(count)]
    patterns = [f"/{number:02}".ljust(length, "x") for number, length in enumerate(lengths)]

    assert compiled(*patterns).complete
    over = compiled(*patterns[:-1], patterns[-1] + "x", path=patterns[0])
    assert (over.complete, over.reason) == (False, "too_large")
    assert allows(over.document, f"{STAGE}GET{patterns[0]}")
    assert not allows(over.document, f"{STAGE}GET{patterns[1]}")
    # The document is shorter than the estimate.
    assert len(json.dumps(compiled(*patterns).document, separators=(",", ":"))) <= LARGEST_POLICY


@pytest.mark.parametrize("decoded", [False, True])
def test_the_estimated_size_is_not_below_the_real_one(decoded: bool) -> None:
    complete = 0
    for count in range(1, 120, 3):
        patterns = [f"/{number}x/{{x}}" for number in range(count)]
        policy = compiled(*patterns, decoded=decoded)
        complete += policy.complete
        assert len(json.dumps(policy.document, separators=(",", ":"))) <= LARGEST_POLICY
    assert complete > 5


def test_a_resource_of_the_maximum_length_is_accepted_and_a_longer_one_is_not() -> None:
    longest = "/" + "x" * (LONGEST_RESOURCE - len(STAGE) - len("GET/"))

    assert compiled(longest).complete
    assert not compiled(longest + "x").complete


def test_the_whole_stage_is_denied_if_nothing_is_allowed() -> None:
    rules = ApiRules("api", [RouteRule("GET", "/a")])
    policy = compile_policy(rules, None, arn=MethodArn.parse(f"{STAGE}GET/a"), now=NOW)

    assert policy.document == {
        "Version": "2012-10-17",
        "Statement": [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": f"{STAGE}*"}],
    }


def test_line_breaks_and_tabs_are_denied_if_arns_are_decoded() -> None:
    encoded, decoded = compiled("/{x}"), compiled("/{x}", decoded=True)

    for character in "\t\n\r":
        assert not allows(decoded.document, f"{STAGE}GET/a{character}")
        assert not allows(decoded.document, f"{STAGE}GET/{character}a")
    for code in (*range(0x20), 0x7F):
        assert not allows(encoded.document, f"{STAGE}GET/a%{code:02X}")
        assert not allows(encoded.document, f"{STAGE}GET/a%{code:02x}")
    assert allows(decoded.document, f"{STAGE}GET/a b")
    assert allows(encoded.document, f"{STAGE}GET/a%20b")


@pytest.mark.parametrize("decoded", [False, True])
def test_a_policy_has_only_the_characters_that_iam_documents(decoded: bool) -> None:
    """IAM's API reference, PutRolePolicy: tab, line feed, carriage return, and U+0020 to U+00FF."""
    written = json.dumps(compiled("/{x}", decoded=decoded).document)

    assert re.fullmatch(r"[\x20-\x7e]+", written)
    assert set(re.findall(r"\\(.)", written)) == ({"\\", "t", "n", "r"} if decoded else {"\\"})


@pytest.mark.parametrize("path", ["/a", "/a/", "/A", "/a:b", "/$x"])
def test_a_denied_requests_own_path_is_denied_by_name(path: str) -> None:
    everything = compiled("/{x}", "/")
    arn = MethodArn.parse(f"{STAGE}GET{path}")
    document = without_own_path(everything.document, arn)

    assert document is not None
    assert not allows(document, f"{STAGE}GET{path}")
    assert allows(document, f"{STAGE}GET/other")
    assert len(document["Statement"]) == len(everything.document["Statement"]) + 1


@pytest.mark.parametrize("path", ["/*", "/a?", "/{x}", "/a\n", "/a\0", "/a\x7f", "/" + "x" * 600])
def test_a_denied_path_that_no_resource_can_name_is_not_denied_by_one(path: str) -> None:
    everything = compiled("/{x}")

    assert without_own_path(everything.document, MethodArn.parse(f"{STAGE}GET{path}")) is None


ONE, OTHER = "https://one.example", "https://other.example"


def caller(issuer: str) -> Principal:
    return Principal("u", "org-1", issuer, frozenset({"read"}), int(NOW) + 60)


@pytest.mark.parametrize(("issuer", "allowed"), [(ONE, True), (OTHER, False), (ONE + "/", False), (ONE.upper(), False)])
def test_a_rule_for_some_issuers(issuer: str, allowed: bool) -> None:
    rules = ApiRules(
        "api",
        [
            RouteRule("GET", "/a", scopes=frozenset({"read"}), issuers=frozenset({ONE, "https://two.example"})),
            RouteRule("GET", "/b", scopes=frozenset({"read"})),
        ],
    )
    decision = rules.decide("GET", "/a", caller(issuer), now=NOW)
    policy = compile_policy(rules, caller(issuer), arn=MethodArn.parse(f"{STAGE}GET/b"), now=NOW)

    assert decision.allowed is allowed
    assert decision.reason == ("allowed" if allowed else "issuer_not_allowed")
    assert policy.complete
    assert allows(policy.document, f"{STAGE}GET/a") is allowed
    assert allows(policy.document, f"{STAGE}GET/b")
    if not allowed:
        assert (decision.expected, decision.actual) == ([ONE, "https://two.example"], issuer)
        assert failure_of(decision).error.code == "AUTH_010"
    assert not rules.decide("GET", "/a", None, now=NOW).allowed


def test_two_issuers_with_the_same_scopes_never_share_a_policy() -> None:
    rules = ApiRules(
        "api", [RouteRule("GET", "/a", issuers=frozenset({ONE})), RouteRule("GET", "/b", issuers=frozenset({OTHER}))]
    )
    for issuer, own, others in ((ONE, "/a", "/b"), (OTHER, "/b", "/a"), (ONE, "/a", "/b")):
        document = compile_policy(rules, caller(issuer), arn=MethodArn.parse(f"{STAGE}GET/b"), now=NOW).document
        assert allows(document, f"{STAGE}GET{own}")
        assert not allows(document, f"{STAGE}GET{others}")


def test_a_path_that_no_resource_can_name_is_denied_with_the_whole_stage() -> None:
    longest = "/" + "x" * (LONGEST_RESOURCE - len(STAGE) - len("GET/"))
    # Not expressible, so that each policy is for the path of its request.
    for path, nameable in ((longest, True), (longest + "x", False), ("/a*", False)):
        policy = compiled("/{x}", "/{x}/{y}", path=path)
        assert not policy.complete
        assert allows(policy.document, f"{STAGE}GET{path}") is nameable
        assert not allows(policy.document, f"{STAGE}GET/other")


def longest_last_pattern(*, decoded: bool) -> int:
    """The greatest length of the last of many patterns with which the policy is still complete."""
    patterns = ["/w/{x}", *(f"/{number:02}".ljust(60, "x") for number in range(34))]

    def is_too_long(length: int) -> bool:
        return not compiled(*patterns, "/last".ljust(length, "y"), decoded=decoded).complete

    return bisect_left(range(440), True, key=is_too_long) - 1


def test_the_estimated_size_counts_each_line_break_and_tab_that_is_denied() -> None:
    # Three resources, `arn:aws:execute-api:*:*:` and `*`, the escape and `*`: 24 characters and 3, one more for the
    # escape, and quotes and comma.
    without, with_them = longest_last_pattern(decoded=False), longest_last_pattern(decoded=True)
    assert 100 < with_them < without < 430
    assert without - with_them == 3 * (24 + 3 + 1 + 3)
