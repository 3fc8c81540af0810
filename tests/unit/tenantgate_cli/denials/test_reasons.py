"""The table of reasons has words for each reason code of a denial."""

from __future__ import annotations

from tenantgate.authorizer.decision_log import MALFORMED_EVENT, RULE_REASONS, UNKNOWN_EVENT
from tenantgate_cli.checks.registry import all_reasons, cookie_reasons, token_reasons
from tenantgate_cli.denials.reasons import REASONS

OTHERS = {
    *("authentication_required", "provider_unreachable", "provider_timeout", "cache_unavailable"),
    *(MALFORMED_EVENT, UNKNOWN_EVENT),
}


def test_the_table_has_exactly_the_reasons_of_the_authorizer() -> None:
    assert set(REASONS) == {*token_reasons(), *cookie_reasons(), *RULE_REASONS, *OTHERS}
    assert set(REASONS) <= set(all_reasons())


def test_no_two_reasons_have_the_same_cause_and_each_has_a_remedy() -> None:
    causes = [reason.words for reason in REASONS.values()]
    assert len(set(causes)) == len(causes)
    for reason in REASONS.values():
        assert reason.words.endswith(".")
        assert reason.remedy.endswith(".")
        assert reason.remedy != reason.words
