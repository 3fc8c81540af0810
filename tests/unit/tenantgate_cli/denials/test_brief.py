"""Reason codes with their most important value, word by word."""

from __future__ import annotations

import pytest

from tenantgate_cli.denials.brief import in_brief

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.mark.parametrize(
    ("reason", "context", "words"),
    [
        ("missing_role", {"expected": ["clerk"], "actual": []}, "missing_role (clerk)"),
        ("missing_role", {"expected": ["a", "b"], "actual": ["c"]}, "missing_role (one of a, b)"),
        ("missing_scope", {"expected": ["r", "w"], "actual": ["r"]}, "missing_scope (w)"),
        ("missing_scope", {"expected": ["r"], "actual": "***"}, "missing_scope (r)"),
        ("missing_any_scope", {"expected": ["r", "w"], "actual": []}, "missing_any_scope (one of r, w)"),
        ("wrong_audience", {"expected": ["orders"], "actual": ["x", "y"]}, "wrong_audience (x, y instead of orders)"),
        (
            "wrong_issuer",
            {"expected": ["https://a"], "actual": "https://b"},
            "wrong_issuer (https://b instead of https://a)",
        ),
        ("issuer_not_allowed", {"expected": ["a"], "actual": "b"}, "issuer_not_allowed (b instead of a)"),
        (
            "algorithm_not_allowed",
            {"expected": ["RS256"], "actual": "none"},
            "algorithm_not_allowed (none instead of RS256)",
        ),
        (
            "tenant_malformed",
            {"expected": rf"org\-{UUID}", "actual": "acme"},
            "tenant_malformed (acme doesn't match org-{uuid})",
        ),
        ("tenant_missing", {"expected": ["org_id", "tenant_id"]}, "tenant_missing (none of org_id, tenant_id)"),
        ("tenant_not_allowed", {"expected": ["a"], "actual": "b"}, "tenant_not_allowed (b)"),
        ("missing_claim", {"claim": "exp"}, "missing_claim (exp)"),
        ("invalid_claim", {"claim": "aud", "actual": 7}, "invalid_claim (aud)"),
        ("token_expired", {"expected": "before 1000 + 60", "actual": 1100}, "token_expired (100 s ago)"),
        ("token_expired", {"expected": "before 1000 + 60", "actual": "***"}, "token_expired"),
        ("authentication_too_old", {"expected": 300, "actual": 7300}, "authentication_too_old (2 h, at most 5 min)"),
        ("acr_too_weak", {"expected": ["gold"], "actual": None}, "acr_too_weak (gold)"),
        ("no_rule", {"expected": "a rule for the route", "actual": "GET /x"}, "no_rule"),
        ("malformed_token", {}, "malformed_token"),
        ("of the future", {}, "of the future"),
        ("wrong_audience", {"expected": ["a"], "actual": "x" * 200}, f"wrong_audience ({'x' * 120}…)"),
    ],
)
def test_words(reason: str, context: dict[str, object], words: str) -> None:
    assert in_brief(reason, context) == words
