"""The verifier's straight line makes the checks of the table that `tenantgate explain` makes, and no others."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping

import pytest

from tenantgate.errors.tokens import InvalidClaim
from tenantgate.identity.bearer import BearerCredential
from tenantgate.tokens.access_token import ACCESS_TOKEN_STEPS
from tenantgate.tokens.jwks import Bundle
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.signatures import SIGNATURE_STEPS, Step, signed_token
from tenantgate.tokens.verifier import TokenVerifier
from tenantgate_cli.checks import explain
from tests.fixtures.tokens.issuer import NOW, good_claims, policy_of, public_jwks, sign

# Calls in the straight line that refuse no token, with the reason.
HARMLESS = {
    "self._clock",
    "self._memo.get",
    "self._older_memo.get",
    "self._remember",
    "self._note_skew",
    "verified_token",
    "signing_kid",
    "issuer.keys.held.keys.only_kid",
    "MappingProxyType",
    "headers.clear",
    "len",
}


def _tree(function: Callable[..., object]) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def _calls(function: Callable[..., object]) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every call of a function's body, in order: its name, its arguments, and the names that take the results."""
    results: dict[ast.AST, tuple[str, ...]] = {}
    calls = []
    for node in ast.walk(_tree(function)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            [target] = node.targets
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            results[node.value] = tuple(map(ast.unparse, names))
        elif isinstance(node, ast.Call):
            calls.append(node)
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    return {ast.unparse(call.func): (tuple(map(ast.unparse, call.args)), results.get(call, ())) for call in calls}


def _table(steps: tuple[Step, ...]) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {
        check.__name__: (tuple(name for name in inspect.signature(check).parameters), results)
        for _, check, results in steps
    }


@pytest.mark.parametrize(
    ("function", "steps"),
    [
        pytest.param(signed_token, SIGNATURE_STEPS, id="signature"),
        pytest.param(TokenVerifier.verify, ACCESS_TOKEN_STEPS[len(SIGNATURE_STEPS) :], id="access-token"),
    ],
)
def test_the_straight_line_is_the_table(function: Callable[..., object], steps: tuple[Step, ...]) -> None:
    expected = _table(steps)
    made = {name: call for name, call in _calls(function).items() if name not in HARMLESS and name != "signed_token"}

    assert list(made.items()) == list(expected.items())
    assert not any(isinstance(node, ast.Raise) for node in ast.walk(_tree(function)))


def test_the_access_token_begins_with_its_signature() -> None:
    assert ACCESS_TOKEN_STEPS[: len(SIGNATURE_STEPS)] == SIGNATURE_STEPS
    assert next(iter(_calls(TokenVerifier.verify).keys() - HARMLESS - _table(ACCESS_TOKEN_STEPS).keys())) == (
        "signed_token"
    )


def test_every_input_of_a_step_is_an_input_of_the_verification_or_a_result_of_an_earlier_step() -> None:
    known = {"token", "headers", "issuers", "now", "fetch", "leeway", "longest"}
    for name, (parameters, results) in _table(ACCESS_TOKEN_STEPS).items():
        assert known.issuperset(parameters), name
        known |= set(results)


def test_a_principal_needs_no_check_that_explain_does_not_make() -> None:
    assert set(_calls(BearerCredential.verify)) == {
        "self._verifier.verify",
        "self._tenants.tenant_of",
        "self._roles.read",
        "_auth_time",
        "Principal",
    }
    # Of revocations, `explain` says that it doesn't know them.
    assert set(_calls(BearerCredential.principal)) == {
        "self.verify",
        "self._revocations",
        "self.require_unrevoked",
        "self.name_caller",
    }
    assert [name for name, *_ in explain._steps(policy_of())][-2:] == ["tenant", "roles"]


@pytest.mark.parametrize("passes", [True, False])
def test_a_check_that_is_added_to_the_table_is_explained(monkeypatch: pytest.MonkeyPatch, *, passes: bool) -> None:
    def check_colour(claims: Mapping[str, object]) -> None:
        if not passes:
            raise InvalidClaim("the colour is wrong", claim="colour", expected="green")

    monkeypatch.setattr(explain, "ACCESS_TOKEN_STEPS", (*ACCESS_TOKEN_STEPS, ("colour", check_colour, ())))
    bundle = Bundle(KeySet.parse(public_jwks()), NOW)

    explanation = explain.explain_token(sign(good_claims()), policy_of(), lambda _: bundle, now=NOW)

    [line] = [line for line in explanation.lines if "colour" in line.check]
    assert (line.passed, line.expected) == (passes, "" if passes else "green")
    assert explanation.allowed is passes
