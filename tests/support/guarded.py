"""An authorizer over a fixed key set and rules of these tests."""

from __future__ import annotations

from tenantgate.authorizer.service import Authorizer
from tenantgate.identity.bearer import BearerCredential
from tenantgate.route_rules.engine import RuleSet
from tenantgate.route_rules.file import load_rules
from tests.support.tokens import StandingClock, good_claims, policy_of, sign, static_verifier

RULES = """\
version = 1

[[api]]
name = "orders"
ids = ["k2j4h6g8f0", "q7w3e5r9t1"]

[[api.route]]
route = "GET /orders/{order_id}"
scopes = ["orders:read"]

[[api.route]]
route = "POST /orders"
scopes = ["orders:write"]

[[api.route]]
route = "GET /catalogue"
public = true

[[api]]
name = "orders live"
ids = ["w5s9o2c4k8"]

[[api.route]]
route = "$connect"
scopes = ["orders:read"]

[[api]]
name = "orders graph"
ids = ["zx6cv8bn0mqwe4rty2uiop9asd"]

[[api.route]]
route = "POST /graphql"
scopes = ["orders:read"]
"""


def rules(text: str = RULES) -> RuleSet:
    return load_rules(text, source="rules of these tests")


def authorizer(
    *, jwks: dict[str, object] | None = None, clock: StandingClock | None = None, text: str = RULES, **variables: str
) -> Authorizer:
    """Takes the tokens that `tests.support.tokens` signs; nothing is fetched."""
    ticking = clock or StandingClock()
    credential = BearerCredential(static_verifier(jwks, clock=ticking, **variables), policy_of(**variables))
    return Authorizer(credential, rules(text), clock=ticking)


def token(**changes: object) -> str:
    """A good token unless `changes` spoil it."""
    return sign(good_claims(**changes))  # type: ignore[arg-type]
