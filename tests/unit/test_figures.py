"""The figures of the security core: limits of size, time and number.

Each bounds the memory or time that a caller can take, or how long a mistake lasts. Other tests use them by name and
pass with any number. These tests notice a changed number, because that is a decision.
"""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.jwks import Timings
from tenantgate.tokens.policy import TokenPolicy

FIGURES: dict[str, dict[str, float]] = {
    "tokens.access_token": {"_MOST_KEPT": 256, "_LONGEST_KEPT": 512},
    "tokens.claims": {"_LARGEST_NUMBER": 2**63 - 1, "_LAST_SECOND": 253402300799, "LONGEST_TEXT": 256},
    "tokens.discovery": {
        "TIMEOUT_SECONDS": 3.0,
        "_FRESH_SECONDS": 3600,
        "USABLE_SECONDS": 86400,
        "_FIRST_BACK_OFF": 1.0,
        "_LONGEST_BACK_OFF": 15.0,
        "_FREEZE_SECONDS": 5.0,
    },
    "tokens.fetch": {"MAX_BYTES": 262144},
    "tokens.flights": {"_LOAD_SHARE": 0.9, "_MOST_FAILURES": 16, "MOST_FETCHES": 2},
    "tokens.keys": {"MAX_KEYS": 100, "MAX_SAME_KID": 4},
    "tokens.pattern_cost": {"_LONGEST": 128, "MOST_WAYS": 16641},
    "tokens.proxy": {"_DEFAULT_PORT": 80},
    "tokens.signatures": {"_MOST_HEADERS": 64},
    "tokens.tenant": {"_LONGEST": 128},
    "tokens.verifier": {"MEMO_SIZE": 512, "MEMO_CHARACTERS": 524288},
    "tokens.shared_keys": {"_TICK": 0.002},
    "tokens.waiting": {"MOST_WAITING": 64},
    "route_rules.engine": {"_MOST_ROUTES": 1024, "_LEEWAY_SECONDS": 60},
    "authorizer.iam_policy": {"LARGEST_POLICY": 6144, "LONGEST_RESOURCE": 512},
    "authorizer.method_arn": {"_LONGEST": 8192},
    "authorizer.policy_compiler": {"_MOST_RESOURCES": 140, "_MEMO_SIZE": 256},
    "crypto.opaque": {"_RANDOM_BYTES": 32, "_LONGEST_TENANT": 1536},
    "crypto.sealing": {"_FEWEST_DIFFERENT_BYTES": 17},
    "login.attempts.redirects": {"MAX_TARGET_LENGTH": 1024},
    "login.attempts.transactions": {
        "LIFETIME_SECONDS": 600,
        "MAX_PENDING": 5,
        "MAX_PENDING_BYTES": 6000,
        "MAX_OPENED": 16,
        "MAX_DROPPED": 8,
    },
}


@pytest.mark.parametrize("module", FIGURES)
def test_the_figures_of_a_module(module: str) -> None:
    found = import_module(f"tenantgate.{module}")
    assert {name: getattr(found, name) for name in FIGURES[module]} == FIGURES[module]


def test_the_times_of_a_key_set() -> None:
    assert {name: getattr(Timings(), name) for name in Timings._fields} == {
        "ttl": 3600,
        "max_age": 86400,
        "refresh_ahead": 0.8,
        "attempt": 3.0,
        "retries": 3,
        "first_pause": 0.1,
        "background_budget": 10.0,
        "inline_budget": 5.0,
        "stale_budget": 2.0,
        "first_back_off": 2.0,
        "longest_back_off": 60.0,
        "unknown_kid_burst": 3,
        "unknown_kid_every": 30.0,
        "bundle_rest": 60.0,
        "freeze": 5.0,
    }


def test_the_times_of_a_policy() -> None:
    policy = TokenPolicy((), (), re.compile(""))
    assert (policy.max_lifetime_seconds, policy.leeway_seconds) == (3600, 60)
    assert (policy.jwks_cache_ttl_seconds, policy.jwks_max_age_seconds) == (3600, 86400)


def test_an_issuer_may_do_no_more_than_its_policy_states() -> None:
    policy = IssuerPolicy("https://idp.example", ("api",))
    assert policy.audience_claims == ("aud",)
    assert policy.token_types == {"at+jwt", "jwt", ""}
    assert policy.token_uses == {"access"}
    assert policy.client_ids == frozenset()
    assert policy.user_claim == "sub"
    assert policy.scope_claims == ("scope", "scp")
    assert policy.algorithms == {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
    }
    assert policy.allow_id_tokens is False
    assert policy.logout_redirect_param == "post_logout_redirect_uri"
    assert not policy.is_known_by_file_only


@pytest.mark.parametrize(
    ("jwks_uri", "discovery_url", "only_by_file"),
    [
        (None, "", True),
        (None, None, False),
        ("https://idp.example/keys", "", False),
        (None, "https://x.example", False),
    ],
)
def test_an_issuer_without_any_url_is_known_by_its_file_only(
    jwks_uri: str | None, discovery_url: str | None, only_by_file: bool
) -> None:
    policy = IssuerPolicy("urn:example", ("api",), jwks_uri=jwks_uri, discovery_url=discovery_url)
    assert policy.is_known_by_file_only is only_by_file
