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


def test_the_names_stay() -> None:
    """Rows in PostgreSQL and lists in Valkey outlive the version that wrote them: another name would revoke nothing."""
    issuer = "https://i"
    assert [
        name.hex()
        for name in (
            token_name(issuer, "jti", "a.b.c"),
            token_name(issuer, None, "a.b.c"),
            session_name("org-1", "s"),
            user_name("org-1", issuer, "u"),
            subject_name(issuer, "u"),
            client_name(issuer, "app"),
            tenant_name("org-1"),
            issuer_name(issuer),
            kid_name(issuer, "key"),
        )
    ] == [
        "d1c747b342ad1c8c42c74b1d2d269aa6",
        "5dff92fcddaa635388d53269a5ccb481",
        "c5d64487cd010bb45381bc162c8ffa91",
        "1d4c28b6676b91aba1053c86789a0f14",
        "a2320b90d1e0a9e9ba9471fcc242a9c2",
        "8ab5e023eed6fa44727e3513e4c5f5c8",
        "f1d3830c683486a9c586fa41efb8f3f8",
        "92296976345215f3001aab7399fb3adb",
        "e2e65f046d764cdf3f62cda067482f1b",
    ]
