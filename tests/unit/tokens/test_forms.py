"""The forms of settings that several variables share."""

from __future__ import annotations

import pytest

from tenantgate.tokens.forms import parse_issuer, parse_list, parse_tenant_id_pattern


@pytest.mark.parametrize(
    ("pattern", "tenant", "others"),
    [
        ("org-{digits}", "org-7", ["org-", "org-x", "org-7\n", "Org-7", "org-7 "]),
        ("{slug}", "a-b", ["-a", "a-", "A", "", "a" * 64]),
        (" {uuid} ", "0f8fad5b-d9cb-469f-a165-70867728950e", ["0F8FAD5B-D9CB-469F-A165-70867728950E"]),
        ("a.{digits}", "a.1", ["ab1"]),
        ("^a+$", "aa", ["", "b", "aa\n"]),
        ("^{digits}", "^7", ["7"]),
        ("{digits}$", "7$", ["7"]),
    ],
)
def test_a_tenant_id_pattern_matches_the_whole_id(pattern: str, tenant: str, others: list[str]) -> None:
    parsed = parse_tenant_id_pattern(pattern)
    assert parsed.fullmatch(tenant)
    assert not any(parsed.fullmatch(other) for other in others)


@pytest.mark.parametrize("pattern", ["", "org", "^abc", "abc$", "^$", "^", "$", "{name}", "{uuid}{", "}{digits}"])
def test_text_without_a_placeholder_is_not_a_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="uuid"):
        parse_tenant_id_pattern(pattern)


def test_a_list_has_each_word_once_and_in_order() -> None:
    assert parse_list(" b, a ,b,,a", what="names") == ("b", "a")
    for text in ("", " , ", "a\0", "a" * 257):
        with pytest.raises(ValueError, match="names"):
            parse_list(text, what="names")
    assert parse_list("a" * 256, what="names") == ("a" * 256,)


@pytest.mark.parametrize("issuer", ["https://A.example/", "urn:issuer", "accounts.example", "i" * 256])
def test_an_issuer_is_kept_as_it_is_written(issuer: str) -> None:
    assert parse_issuer(f" {issuer} ") == issuer


@pytest.mark.parametrize("issuer", ["", " ", "a\u0000", "a\nb", "i" * 257])
def test_an_issuer_is_a_printable_text(issuer: str) -> None:
    with pytest.raises(ValueError, match="at most 256 printable characters"):
        parse_issuer(issuer)
