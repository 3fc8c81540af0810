"""Names of revoked things."""

from __future__ import annotations

from tenantgate.revoked.names import (
    NAME_BYTES,
    client_name,
    issuer_name,
    kid_name,
    session_name,
    subject_name,
    tenant_name,
    token_name,
    user_name,
)


def test_every_kind_and_every_value_has_another_name() -> None:
    names = [
        token_name("i", "a", "text"),
        token_name("i", "b", "text"),
        token_name("i", None, "text"),
        token_name("i", None, "another"),
        token_name("j", "a", "text"),
        session_name("i", "a"),
        user_name("t", "i", "a"),
        user_name("u", "i", "a"),
        subject_name("i", "a"),
        client_name("i", "a"),
        kid_name("i", "a"),
        tenant_name("i"),
        issuer_name("i"),
    ]
    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {NAME_BYTES}


def test_the_border_between_two_values_counts() -> None:
    assert user_name("t", "ab", "c") != user_name("t", "a", "bc")
    assert kid_name("a\0", "b") != kid_name("a", "\0b")
    assert kid_name("1:a", "b") != kid_name("1", ":ab")


def test_a_token_with_an_id_is_named_only_by_it() -> None:
    assert token_name("i", "a", "text") == token_name("i", "a", "the same token in another serialization")


def test_a_token_without_an_id_is_named_without_its_signature() -> None:
    assert token_name("i", None, "a.b.c") == token_name("i", None, "a.b.another")
    assert token_name("i", None, "a.b.c") != token_name("i", None, "a.c.c")
    assert token_name("i", None, "opaque") != token_name("i", None, "another opaque one")


def test_half_a_surrogate_pair_has_a_name() -> None:
    assert tenant_name("\ud800") != tenant_name("\udfff")
