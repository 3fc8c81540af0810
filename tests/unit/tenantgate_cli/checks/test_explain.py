"""`tenantgate explain`: the same verdict as the verifier's, but every check of it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tenantgate.authorizer.decision_log import CHECKS, RULE_REASONS, reason_code
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import MissingClaim, TokenError
from tenantgate.route_rules import engine as rules_module
from tenantgate.tokens.jwks import Bundle
from tenantgate.tokens.keys import KeySet
from tenantgate_cli.checks.explain import Explanation, Route, explain_token
from tenantgate_cli.main import app
from tests.fixtures.authorizer.guarded import RULES, rules, token
from tests.fixtures.tokens.forged_tokens import FORGED, PUBLISHED_JWKS
from tests.fixtures.tokens.forging import Forged
from tests.fixtures.tokens.issuer import (
    AUDIENCE,
    ISSUER,
    NOW,
    good_claims,
    policy_of,
    public_jwks,
    sign,
    static_verifier,
)

NAMES = [
    *("credential", "form", "issuer", "algorithm", "key", "signature", "type", "times", "audience", "subject"),
    *("scopes", "expiry", "tenant", "roles"),
]


def explained(sent: str, jwks: dict[str, object] | None = None, *, route: Route | None = None) -> Explanation:
    bundle = Bundle(KeySet.parse(jwks or public_jwks()), NOW - 7200)
    return explain_token(sent, policy_of(), lambda _: bundle, route=route, now=NOW)


def test_a_good_token_passes_every_check() -> None:
    explanation = explained(token())
    assert [line.check for line in explanation.lines] == NAMES
    assert explanation.allowed
    assert explanation.error is None


# HTTP's optional white space around a header's value (RFC 9110 §5.5).
_OPTIONAL_SPACE = ("blank before", "blank after")
REFUSED = [pytest.param(forged, id=forged.name) for forged in FORGED if forged.name not in _OPTIONAL_SPACE]


@pytest.mark.parametrize("forged", REFUSED)
def test_a_forged_token_fails_for_the_verifiers_reason(forged: Forged) -> None:
    explanation = explained(forged.build(), PUBLISHED_JWKS)

    assert not explanation.allowed
    reasons = [line.reason for line in explanation.lines if line.passed is False]
    # A text that can't even be a header value is refused there already, and the order of claims may differ.
    assert reason_code(forged.error) in reasons or reasons == ["authentication_required"]


def test_the_code_is_the_verifiers_for_a_token_that_is_wrong_in_several_ways() -> None:
    sent = token(aud="billing-api", exp=NOW - 300, iat=NOW - 900, tenant_id="org-1")
    with pytest.raises(TokenError) as refusal:
        static_verifier().verify(sent)

    explanation = explained(sent)

    failed = {line.check: line.reason for line in explanation.lines if line.passed is False}
    assert failed == {"audience": "wrong_audience", "expiry": "token_expired", "tenant": "tenant_malformed"}
    assert explanation.error is refusal.value.error
    [audience] = [line for line in explanation.lines if line.check == "audience"]
    assert audience.expected == AUDIENCE
    assert audience.actual.endswith("billing-api")


def test_what_could_not_be_read_is_not_judged() -> None:
    explanation = explained("a.b.c")
    assert [line.passed for line in explanation.lines] == [True, False] + [None] * 12
    assert not explanation.allowed


@pytest.mark.parametrize(
    ("path", "scope", "passed", "reason"),
    [
        pytest.param("/orders/42", "orders:read", True, "", id="allowed"),
        pytest.param("/orders/42", "orders:write", False, "missing_scope", id="scope"),
        pytest.param("/nowhere", "orders:read", False, "no_rule", id="no-rule"),
        pytest.param("/catalogue", "", True, "", id="public"),
    ],
)
def test_the_route_rules_have_the_last_word(path: str, scope: str, *, passed: bool, reason: str) -> None:
    explanation = explained(token(scope=scope), route=Route("GET", path, rules(), "q7w3e5r9t1"))
    last = explanation.lines[-1]
    assert (last.check, last.passed, last.reason) == ("route rule", passed, reason)
    assert explanation.allowed is passed


def test_without_keys_it_says_that_it_has_none() -> None:
    explanation = explain_token(token(), policy_of(), lambda _: None, now=NOW)
    failed = [(line.check, line.passed) for line in explanation.lines if not line.passed]
    assert failed == [("key", False), ("signature", None)]


def test_every_reason_of_the_rules_has_a_code() -> None:
    source = Path(rules_module.__file__).read_text()
    reasons = set(re.findall(r'(?:Decision\(False|_denied\(|else) ?"?,? ?"([a-z_]+)"', source))
    reasons |= set(re.findall(r'Decision\(False, "([a-z_]+)"', source)) | set(
        re.findall(r'_denied\("([a-z_]+)"', source)
    )
    assert reasons - {"authentication_required"} == set(RULE_REASONS)


def test_every_token_error_has_the_name_of_its_check() -> None:
    errors, open_ends = set(), [TokenError]
    while open_ends:
        error = open_ends.pop()
        errors.add(error.__name__)
        open_ends += error.__subclasses__()
    assert errors - {"TokenError"} <= set(CHECKS)
    assert reason_code(MissingClaim) == "missing_claim"
    assert issubclass(MissingClaim, TenantgateError)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with keys, rules and tokens, and an environment that trusts their issuer."""
    (tmp_path / "jwks.json").write_text(json.dumps(public_jwks()))
    (tmp_path / "rules.toml").write_text(RULES)
    now = int(time.time())
    (tmp_path / "good").write_text(sign(good_claims(now)) + "\n")
    (tmp_path / "expired").write_text(sign(good_claims(now - 900)))
    monkeypatch.setenv("OIDC_ISSUER_URL", ISSUER)
    monkeypatch.setenv("OIDC_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("ROUTE_RULES_FILE", str(tmp_path / "rules.toml"))
    return tmp_path


def command(*arguments: str, text: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["explain", *arguments], input=text, env={"COLUMNS": "200"})
    return done.exit_code, done.output


def asked(files: Path, name: str, route: str) -> tuple[int, str]:
    keys = str(files / "jwks.json")
    api = "q7w3e5r9t1"
    return command("--token-file", str(files / name), "--jwks", keys, "--route", route, "--api", api)


def test_the_exit_code_tells(files: Path) -> None:
    assert asked(files, "good", "GET /orders/42")[0] == 0
    assert asked(files, "good", "GET /nowhere")[0] == 1
    assert asked(files, "expired", "GET /orders/42")[0] == 1
    assert asked(files, "missing", "GET /orders/42")[0] == 2
    assert asked(files, "good", "orders")[0] == 2
    assert command()[0] == 2


def test_the_table_names_check_expected_and_actual(files: Path) -> None:
    code, said = asked(files, "expired", "GET /orders/42")
    assert code == 1
    assert re.search(r"✗ +expiry +before \d+ \+ 60 +token has expired: \d+ +token_expired", said)
    assert "AUTH_003: The token has expired (401)" in said
    assert not any(part in said for part in (files / "expired").read_text().split("."))


def test_a_token_on_standard_input(files: Path) -> None:
    text = f"Bearer {(files / 'good').read_text()}"
    assert command("--token-file", "-", "--jwks", str(files / "jwks.json"), text=text)[0] == 0


@pytest.mark.parametrize("code", ["AUTH_003", "auth_003", "token_expired", "missing_scope", "SYS_004"])
def test_a_code_is_explained(code: str) -> None:
    exit_code, said = command(code)
    assert exit_code == 0
    assert "cause" in said
    assert "remedy" in said


def test_an_unknown_code_is_said_to_be_one() -> None:
    assert command("AUTH_999")[0] == 2


WORDS = [
    (
        {"aud": "billing-api"},
        "audience",
        "wrong_audience",
        {"expected": f"the accepted audiences: {AUDIENCE}", "actual": "the token's audience: billing-api"},
    ),
    (
        {"tenant_id": "acme"},
        "tenant",
        "tenant_malformed",
        {"expected": "the pattern for tenants: org-{uuid}", "actual": "the token's tenant: acme"},
    ),
    (
        {"iss": "https://evil.example"},
        "issuer",
        "wrong_issuer",
        {"expected": f"the trusted issuers: {ISSUER}", "actual": "the token's `iss`: https://evil.example"},
    ),
    (
        {"iat": NOW - 7200, "exp": NOW - 3600},
        "expiry",
        "token_expired",
        {
            "expected": f"the time of the request (epoch seconds): before {NOW - 3600} + 60",
            "actual": f"the time of the check: {NOW}",
        },
    ),
]


@pytest.mark.parametrize(("changes", "check", "reason", "facts"), WORDS)
def test_a_failed_check_has_its_values_by_name(
    changes: dict[str, object], check: str, reason: str, facts: dict[str, str]
) -> None:
    [line] = [line for line in explained(token(**changes)).lines if line.passed is False]
    assert (line.check, line.reason) == (check, reason)
    assert {name: line.facts[name] for name in facts} == facts
    assert line.facts["cause"]
    assert line.facts["remedy"]


def test_the_command_prints_each_failed_check_with_its_remedy(files: Path) -> None:
    (files / "other").write_text(sign(good_claims(int(time.time()), aud="billing-api", tenant_id="acme")))
    code, said = command("--token-file", str(files / "other"), "--jwks", str(files / "jwks.json"))
    assert code == 1
    assert said.startswith(f"tokens  {ISSUER} for {AUDIENCE} (of your environment)\n")
    _, _, words = said.partition("✗ audience: wrong_audience\n")
    assert words == (
        "  cause     The token is for another audience.\n"
        "  finding   aud names another audience\n"
        "  claim     aud\n"
        f"  expected  the accepted audiences: {AUDIENCE}\n"
        "  actual    the token's audience: billing-api\n"
        "  remedy    Request the token for an accepted audience, or add the token's audience to `OIDC_AUDIENCE`.\n"
        "✗ tenant: tenant_malformed\n"
        "  cause     The tenant in the token doesn't have the configured form.\n"
        "  finding   the tenant claim's form is wrong\n"
        "  claim     tenant_id\n"
        "  expected  the pattern for tenants: org-{uuid}\n"
        "  actual    the token's tenant: acme\n"
        "  remedy    Correct the tenant at the provider, or set `TENANT_ID_PATTERN` to the form of your tenant ids.\n"
        "AUTH_004: The token is not valid (401)\n"
    )


def test_the_result_as_json(files: Path) -> None:
    arguments = ("--token-file", str(files / "good"), "--jwks", str(files / "jwks.json"), "--json")
    code, said = command(*arguments, "--route", "GET /orders/42", "--api", "q7w3e5r9t1")
    found = json.loads(said)
    assert (code, found["ok"], found["problems"], found["error"]) == (0, True, [], None)
    assert [check["check"] for check in found["checks"]] == [*NAMES, "route rule"]
    # The user's id is masked.
    (subject,) = (check for check in found["checks"] if check["check"] == "subject")
    assert subject["actual"].startswith("***")
    assert len(subject["actual"]) <= len("***") + 4
    code, said = command(*arguments, "--route", "GET /nowhere", "--api", "q7w3e5r9t1")
    found = json.loads(said)
    assert (code, found["ok"], found["error"]["code"]) == (1, False, "AUTH_010")
    assert found["problems"] == [
        {
            "problem": "route rule: no_rule",
            "remedy": "Add a rule for the route to the rules file, in the block of this API.",
        }
    ]


CODES = [
    (
        "missing_claim",
        (
            "missing_claim\n"
            "  cause   The token lacks a required claim.\n"
            "  remedy  Have the provider add the claim to its access tokens.\n"
            "  code    AUTH_004, The token is not valid (401 Unauthorized)\n"
        ),
    ),
    (
        "malformed-event",
        (
            "malformed_event\n"
            "  cause   The authorizer got an event that contradicts itself or lacks a member.\n"
            "  remedy  Attach the authorizer to the API as docs/GUARD_YOUR_API.md shows.\n"
            "  code    SYS_003, Something went wrong on our side (500 Internal Server Error)\n"
        ),
    ),
]


@pytest.mark.parametrize(("code", "words"), CODES)
def test_a_reason_is_explained_in_its_own_words(code: str, words: str) -> None:
    assert command(code) == (0, words)
    page = json.loads(command(code, "--json")[1])
    assert (page["ok"], page["reason"]) == (True, code.replace("-", "_"))
    assert page["cause"] in words


def test_an_api_without_a_route_is_an_error(files: Path) -> None:
    code, said = command("--token-file", str(files / "good"), "--api", "q7w3e5r9t1")
    assert (code, said) == (2, "✗ --api needs a route\n  → add --route, such as --route 'GET /orders/42'\n")
