"""Opaque secrets: one spelling each, found under their own tenant and digest only."""

import base64
import hashlib
import string
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tenantgate.crypto.opaque import OpaqueKind, OpaqueSecret

TENANT = "org-1"
RANDOM = "A" * 43
BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"

PLAIN = OpaqueKind()
PREFIXED = OpaqueKind(prefix="tgk_")
RANDOM_ONLY = OpaqueKind(digests_random_part_only=True)
KINDS = [pytest.param(PLAIN, id="plain"), pytest.param(PREFIXED, id="prefixed"), pytest.param(RANDOM_ONLY, id="random")]

# The tenant ids that a token may have (tokens/tenant.py): up to 128 printable characters.
TENANTS = st.text(min_size=1, max_size=128).filter(str.isprintable)
# Tenant ids as a text may spell them, rightly or not.
ENCODED_TENANTS = st.lists(
    st.sampled_from(
        ["a", "Z", "0", "-", ".", "~", "_", "%2E", "%C3%BC", "%c3%bc", "%41", "%25", "%", "%0", "%00", "%FF"]
    ),
    max_size=6,
).map("".join)


def row_of(secret: OpaqueSecret | None) -> tuple[str, bytes] | None:
    """Return the tenant and digest under which the secret's row is looked up."""
    return None if secret is None else (secret.tenant_id, secret.digest)


@pytest.mark.parametrize("kind", KINDS)
@given(tenant_id=TENANTS)
@example(tenant_id="\U0001f5dd" * 128)
@example(tenant_id="a.b.c")
@example(tenant_id="100%")
def test_parses_what_it_issues(kind: OpaqueKind, tenant_id: str) -> None:
    issued = kind.issue(tenant_id)
    assert row_of(kind.parse(issued.text)) == row_of(issued)
    assert issued.tenant_id == tenant_id
    assert len(issued.digest) == 32


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), tenant_id=TENANTS)
def test_any_other_character_is_refused_or_leads_elserow_of(
    kind: OpaqueKind, data: st.DataObject, tenant_id: str
) -> None:
    issued = kind.issue(tenant_id)
    place = data.draw(st.integers(0, len(issued.text) - 1))
    character = data.draw(st.sampled_from(BASE64URL + ".~%=+/ ") | st.characters())
    assume(character != issued.text[place])
    changed = issued.text[:place] + character + issued.text[place + 1 :]
    assert row_of(kind.parse(changed)) != row_of(issued)


@pytest.mark.parametrize("kind", KINDS)
@given(
    prefix=st.sampled_from(["", "tgk_"]), tenant=ENCODED_TENANTS, random=st.text(BASE64URL, min_size=43, max_size=43)
)
def test_a_text_that_parses_is_the_only_spelling(kind: OpaqueKind, prefix: str, tenant: str, random: str) -> None:
    text = f"{prefix}{tenant}.{random}"
    parsed = kind.parse(text)
    if parsed is not None:
        assert kind.issue(parsed.tenant_id).text.rpartition(".")[0] == f"{prefix}{tenant}"
        assert base64.urlsafe_b64encode(base64.urlsafe_b64decode(random + "=")).decode() == random + "="


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(".", id="point"),
        pytest.param(RANDOM, id="random-part-only"),
        pytest.param(f".{RANDOM}", id="no-tenant"),
        pytest.param(f"{TENANT}.", id="no-random-part"),
        pytest.param(f"{TENANT}{RANDOM}", id="no-point"),
        pytest.param(f"{TENANT}.{RANDOM[1:]}", id="one-character-short"),
        pytest.param(f"{TENANT}.{RANDOM}A", id="one-character-more"),
        pytest.param(f"{TENANT}.{RANDOM}=", id="padding"),
        pytest.param(f"{TENANT}.{RANDOM[:-1]}B", id="stray-last-bits"),
        pytest.param(f"{TENANT}.{RANDOM[:-1]}_", id="stray-last-bits-all-set"),
        pytest.param(f"{TENANT}.{RANDOM[:-1]}+", id="base64"),
        pytest.param(f"{TENANT}.{RANDOM}\n", id="line-end"),
        pytest.param(f" {TENANT}.{RANDOM}", id="space"),
        pytest.param(f"{TENANT}.{RANDOM[:-1]}\uff21", id="full-width-letter"),
        pytest.param(f"m\u00fcnchen.{RANDOM}", id="unicode-not-encoded"),
        pytest.param(f"%6Frg-1.{RANDOM}", id="encoded-without-need"),
        pytest.param(f"m%c3%bcnchen.{RANDOM}", id="lower-case-hex"),
        pytest.param(f"org%2.{RANDOM}", id="half-an-escape"),
        pytest.param(f"org%.{RANDOM}", id="lone-percent"),
        pytest.param(f"org%ZZ.{RANDOM}", id="not-hex"),
        pytest.param(f"org%2E1.{RANDOM}", id="encoded-point"),
        pytest.param(f"%FF.{RANDOM}", id="not-utf-8"),
        pytest.param(f"%C0%AE.{RANDOM}", id="overlong-utf-8"),
        pytest.param(f"%ED%A0%80.{RANDOM}", id="surrogate"),
        pytest.param(f"org%00.{RANDOM}", id="nul"),
        pytest.param(f"{'x' * 1537}.{RANDOM}", id="tenant-too-long"),
        pytest.param(f"{'x' * 1_000_000}.{RANDOM}", id="huge"),
    ],
)
def test_refuses(text: str) -> None:
    assert PLAIN.parse(text) is None
    assert RANDOM_ONLY.parse(text) is None
    assert PREFIXED.parse(f"tgk_{text}") is None


@pytest.mark.parametrize("text", [f"{TENANT}.{RANDOM}", f"tgk{TENANT}.{RANDOM}", f"TGK_{TENANT}.{RANDOM}"])
def test_a_kind_with_a_prefix_refuses_texts_without_it(text: str) -> None:
    assert PREFIXED.parse(text) is None


@pytest.mark.parametrize(
    "prefix", ["tgk", "_", "t_", "tg_k_", "TGK_", "1gk_", "tg-k_", "tgk_ ", "t" * 17 + "_", "tgk__"]
)
def test_a_prefix_has_one_form(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        OpaqueKind(prefix=prefix)


@pytest.mark.parametrize("tenant_id", ["", "a\0b", "x" * 1537, "\ud800"])
def test_issues_nothing_that_it_would_not_parse(tenant_id: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the last one is Python's own)
        PLAIN.issue(tenant_id)


def test_another_tenant_in_front_leads_to_that_tenant() -> None:
    """The row of the first tenant is never found: look-ups are by tenant and digest."""
    issued = PLAIN.issue(TENANT)
    moved = PLAIN.parse(issued.text.replace(TENANT, "org-2"))
    assert moved is not None
    assert moved.tenant_id == "org-2"
    assert moved.digest != issued.digest


def test_the_digest_covers_the_whole_text_or_only_the_random_part() -> None:
    for kind, text, digested in (
        (PLAIN, f"a%20b.{RANDOM}", f"a%20b.{RANDOM}"),
        (PREFIXED, f"tgk_a%20b.{RANDOM}", f"tgk_a%20b.{RANDOM}"),
        (RANDOM_ONLY, f"a%20b.{RANDOM}", RANDOM),
    ):
        parsed = kind.parse(text)
        assert parsed is not None
        assert row_of(parsed) == ("a b", hashlib.sha256(digested.encode()).digest())


def test_a_secret_shows_in_no_representation() -> None:
    issued = PREFIXED.issue(TENANT)
    assert issued.text.rpartition(".")[2] not in f"{issued!r} {issued}"


@pytest.mark.parametrize("kind", KINDS)
def test_secrets_issued_at_the_same_time_differ(kind: OpaqueKind) -> None:
    with ThreadPoolExecutor(8) as threads:
        issued = list(threads.map(lambda _: kind.issue(TENANT), range(1000)))
    assert len({secret.text for secret in issued}) == len({secret.digest for secret in issued}) == 1000


def test_the_random_part_uses_the_whole_alphabet() -> None:
    """43 characters of base64url, none of them fixed: 256 bits, as the module says."""
    parts = [PLAIN.issue(TENANT).text.rpartition(".")[2] for _ in range(2000)]
    assert all(len(part) == 43 for part in parts)
    for place in range(42):
        assert len({part[place] for part in parts}) == 64
    assert {part[42] for part in parts} == set("AEIMQUYcgkosw048")
