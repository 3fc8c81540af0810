"""The limits of a compact serialization, in numbers: a change of one is a change for clients."""

from __future__ import annotations

import json

import pytest

from tenantgate.errors.tokens import MalformedToken, UnsupportedHeader
from tenantgate.tokens.jws import decode, decode_base64url, json_object, parse_header, take_apart
from tests.fixtures.tokens.issuer import b64


def header(**members: object) -> bytes:
    """A JOSE header as `take_apart` returns it."""
    return take_apart(f"{b64(json.dumps({'alg': 'RS256', **members}).encode())}.e30.AA")[0]


def test_a_token_has_at_most_16384_characters() -> None:
    longest = "a." + "b" * (16_384 - 4) + ".c"
    assert take_apart(longest)[2] == b"c"
    with pytest.raises(MalformedToken, match="too long") as refused:
        take_apart(longest + "c")
    assert refused.value.private == {"expected": 16_384, "actual": 16_385}


def test_the_signed_bytes_are_header_and_payload_as_sent() -> None:
    assert take_apart("a-_.b-_.c-_") == (b"a+/", b"b+/", b"c+/", b"a-_.b-_")


def test_a_header_has_at_most_4096_characters_in_addition_to_its_chain() -> None:
    # 3 bytes of JSON are 4 characters, and `{"alg": "RS256", "x": ""}` takes 25 bytes.
    assert len(header(x="x" * (3072 - 25))) == 4096
    assert parse_header(header(x="x" * (3072 - 25))).alg == "RS256"
    with pytest.raises(MalformedToken, match="too long"):
        parse_header(header(x="x" * (3072 - 24)))


@pytest.mark.parametrize("chain", [["M" * 1500], ["M" * 1500, "M" * 1500], ["M" * 1500, 7, "M" * 1500]])
def test_only_the_chain_of_a_long_header_is_not_counted(chain: list[object]) -> None:
    assert parse_header(header(x5c=chain, x="x" * 2900)).alg == "RS256"
    with pytest.raises(MalformedToken, match="too long"):
        parse_header(header(x5c=chain, x="x" * 3100))


def test_a_header_has_at_most_12288_characters_with_its_chain() -> None:
    # `{"alg": "RS256", "x5c": [""]}` takes 29 bytes.
    longest = header(x5c=["M" * (9216 - 29)])
    assert len(longest) == 12_288
    assert parse_header(longest).alg == "RS256"
    with pytest.raises(MalformedToken, match="too long"):
        parse_header(header(x5c=["M" * (9216 - 28)]))


@pytest.mark.parametrize("member", ["crit", "b64", "jwk", "enc", "zip", "epk", "p2c", "p2s"])
def test_a_header_that_asks_for_more_than_a_signature_is_refused(member: str) -> None:
    with pytest.raises(UnsupportedHeader) as refused:
        parse_header(header(**{member: 1}))
    assert refused.value.private["actual"] == [member]


@pytest.mark.parametrize("content_type", ["JWT", "jwt", "application/jwt", "at+jwt", "application/secevent+JWT", 7])
def test_a_nested_token_is_refused(content_type: object) -> None:
    with pytest.raises(UnsupportedHeader) as refused:
        parse_header(header(cty=content_type))
    assert refused.value.private["actual"] == ["cty"]


@pytest.mark.parametrize(
    ("typ", "kind"),
    [
        ("at+jwt", "at+jwt"),
        ("AT+JWT", "at+jwt"),
        ("application/at+jwt", "at+jwt"),
        ("APPLICATION/at+JWT", "at+jwt"),
        ("application/application/at+jwt", "application/at+jwt"),
        ("", ""),
        (None, ""),
    ],
)
def test_the_type_is_compared_in_lower_case_and_without_application(typ: str | None, kind: str) -> None:
    assert parse_header(header(typ=typ)).typ == kind


@pytest.mark.parametrize("text", ["", "A", "AB", "AAB", "AA=", "AA==", "A A", "AA\n", "AA+", "AA/", "é"])
def test_base64url_has_one_spelling_for_each_value(text: str) -> None:
    with pytest.raises(MalformedToken, match="x is"):
        decode_base64url(text, "x")


@pytest.mark.parametrize(
    ("text", "value"),
    [("AQ", b"\1"), ("AAAB", b"\0\0\1"), ("AAE", b"\0\1"), ("-_-_", b"\xfb\xff\xbf"), ("_w", b"\xff")],
)
def test_base64url_without_padding_is_read(text: str, value: bytes) -> None:
    assert decode_base64url(text, "x") == value


@pytest.mark.parametrize("last", sorted(set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")))
def test_the_unused_bits_of_the_last_character_are_zero(last: int) -> None:
    for front, allowed in ((b"A", b"AQgw"), (b"AA", b"AEIMQUYcgkosw048")):
        if last in allowed:
            assert len(decode(front + bytes([last]), "x")) == len(front)
        else:
            with pytest.raises(MalformedToken, match="canonical"):
                decode(front + bytes([last]), "x")


@pytest.mark.parametrize("raw", [b'{"a":1}', b' \t\r\n{"a":1} \t\r\n', b'{"a":{"b":1},"b":1}'])
def test_one_json_object_may_have_white_space_around_it(raw: bytes) -> None:
    assert "a" in json_object(raw, "x")


@pytest.mark.parametrize(
    "raw",
    [b"", b"1", b"[]", b"{}{}", b"{} x", b'{"a":1,"a":1}', b'{"a":{"b":1,"b":1}}', b'{"a":NaN}', b'{"a":-Infinity}',
     b"\xff", b"\x0b{}", b"\xc2\xa0{}", b"{", b'{"a":' * 100_000],
)  # fmt: skip
def test_anything_else_is_not_one_json_object(raw: bytes) -> None:
    with pytest.raises(MalformedToken, match="x is not"):
        json_object(raw, "x")


@pytest.mark.parametrize("token", ["\u00e4.b.c", "a.\ud800.c", "a.b.\uff0b"])
def test_a_token_is_ascii(token: str) -> None:
    with pytest.raises(MalformedToken, match="outside ASCII"):
        take_apart(token)


@pytest.mark.parametrize(
    ("token", "segments"),
    [
        ("a.b.c", (b"a", b"b", b"c", b"a.b")),
        ("a-_.b-.c_", (b"a+/", b"b+", b"c/", b"a-_.b-")),
        ("..", (b"", b"", b"", b".")),
    ],
)
def test_a_token_has_three_segments(token: str, segments: tuple[bytes, bytes, bytes, bytes]) -> None:
    assert take_apart(token) == segments


@pytest.mark.parametrize(
    ("token", "number", "kind"),
    [
        ("", 1, "compact"),
        ("a", 1, "compact"),
        ("a.b", 2, "compact"),
        ("a.b.c.d", 4, "compact"),
        ("a.b.c.d.e", 5, "JWE"),
    ],
)
def test_another_number_of_segments_is_rejected(token: str, number: int, kind: str) -> None:
    with pytest.raises(MalformedToken, match=kind) as error:
        take_apart(token)
    assert error.value.private == {"expected": "3 segments", "actual": number}


@pytest.mark.parametrize("character", ["+", "/", "="])
def test_the_other_alphabet_of_base64_and_padding_are_rejected(character: str) -> None:
    for segments in (
        take_apart(f"AAA{character}.AAA{character}.AAA{character}"),
        take_apart(f"-_A{character}.-_AA.-_AA"),
    ):
        with pytest.raises(MalformedToken, match="canonical"):
            decode(segments[0], "header")
