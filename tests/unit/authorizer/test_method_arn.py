"""ARNs of API Gateway methods: read in one way, or rejected."""

from __future__ import annotations

import pytest

from tenantgate.authorizer.method_arn import MethodArn, has_wildcard

STAGE = "arn:aws-cn:execute-api:cn-north-1:210987654321:X1/Xx/"


@pytest.mark.parametrize(
    ("rest", "method", "path"),
    [
        ("POST/a:b/*", "POST", "/a:b/*"),
        ("GET/a/b/", "GET", "/a/b/"),
        ("GET/", "GET", "/"),
        ("GET//", "GET", "//"),
        ("GET", "GET", ""),
        ("$connect", "$connect", ""),
        ("GET/ü?{x}", "GET", "/ü?{x}"),
    ],
)
def test_an_arns_parts(rest: str, method: str, path: str) -> None:
    arn = MethodArn.parse(STAGE + rest)

    assert arn == MethodArn("X1", "Xx", STAGE, method, path)
    assert str(arn) == STAGE + rest


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5",
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod",
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/",
        "arn:aws:execute-api:eu-central-1:123456789012:/prod/GET/a",
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5//GET/a",
        "arn:aws:lambda:eu-central-1:123456789012:a1b2c3d4e5/prod/GET/a",
        "urn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/GET/a",
        "arn:aws:execute-api:eu-central-1:a1b2c3d4e5/prod/GET/a",
        "",
        STAGE + "GET/" + "x" * 8192,
    ],
)
def test_other_texts_are_rejected(arn: str) -> None:
    with pytest.raises(ValueError, match="is not the ARN of an API's method"):
        MethodArn.parse(arn)


def test_the_longest_arn_is_read() -> None:
    assert len(str(MethodArn.parse((STAGE + "GET/").ljust(8192, "x")))) == 8192


@pytest.mark.parametrize("character", ["*", "?", "{", "}"])
@pytest.mark.parametrize("place", ["aws-cn", "cn-north-1", "210987654321", "X1", "Xx", "GET"])
def test_a_wildcard_before_the_path_is_rejected(place: str, character: str) -> None:
    arn = (STAGE + "GET/a").replace(place, place[:1] + character + place[1:])

    with pytest.raises(ValueError, match="has a wildcard or a slash before its path"):
        MethodArn.parse(arn)


@pytest.mark.parametrize("place", ["aws-cn", "cn-north-1", "210987654321"])
def test_an_arn_whose_path_may_begin_in_two_places_is_rejected(place: str) -> None:
    with pytest.raises(ValueError, match="has a wildcard or a slash before its path"):
        MethodArn.parse((STAGE + "GET/a").replace(place, f"{place}/x/GET"))


@pytest.mark.parametrize("rest", ["GET/\ud800", "\udfffGET/a"])
def test_half_a_character_is_rejected(rest: str) -> None:
    with pytest.raises(ValueError, match="is not Unicode text"):
        MethodArn.parse(STAGE + rest)


@pytest.mark.parametrize(
    ("text", "found"), [("*", True), ("a?", True), ("{", True), ("a}b", True), ("", False), ("/a:b+$&()", False)]
)
def test_wildcards_of_iam(text: str, found: bool) -> None:
    assert has_wildcard(text) is found
