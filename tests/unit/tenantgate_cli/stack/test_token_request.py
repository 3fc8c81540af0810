"""The options of `tenantgate token`: what a demo user may have, and the words for everything else."""

import pytest

from tenantgate.openid_provider.storage.demo import PERSONAS
from tenantgate.openid_provider.storage.personas import PERSONAS_FILE
from tenantgate_cli.console import Failure
from tenantgate_cli.paths import shown
from tenantgate_cli.stack.token_request import Limits, Wanted, token_request

ADMIN, MEMBER, OUTSIDER = PERSONAS
DEMO, OTHER = ADMIN.tenants["demo"], ADMIN.tenants["other"]
SIGN_IN = ("openid", "profile", "email")
LIMITS = Limits(usual=3600, longest=3600, leeway=60, scopes=SIGN_IN)
FILE = shown(PERSONAS_FILE)


def test_without_options_it_is_the_token_of_the_demo_user() -> None:
    request = token_request(Wanted(), PERSONAS, LIMITS)
    assert (request.persona, request.tenant_id, request.roles) == (ADMIN, DEMO, ("admin", "clerk"))
    assert (request.scopes, request.lifetime, request.expires_in) == (("openid", "profile", "email"), 3600, 3600)


@pytest.mark.parametrize("user", ["member@example.test", "Demo Member", " DEMO MEMBER ", "Member@Example.test"])
def test_a_user_is_found_by_email_or_name(user: str) -> None:
    assert token_request(Wanted(user=user), PERSONAS, LIMITS).persona == MEMBER


@pytest.mark.parametrize("tenant", ["other", OTHER])
def test_a_tenant_is_found_by_name_or_id(tenant: str) -> None:
    assert token_request(Wanted(tenant=tenant), PERSONAS, LIMITS).tenant_id == OTHER


@pytest.mark.parametrize(
    ("given", "scopes"),
    [
        pytest.param(["orders:read"], ("orders:read",), id="one"),
        pytest.param(["openid orders:write"], ("openid", "orders:write"), id="separated-by-spaces"),
        pytest.param(["orders:write", "openid"], ("orders:write", "openid"), id="repeated"),
        pytest.param([" orders:read  orders:read ", "orders:read"], ("orders:read",), id="twice"),
    ],
)
def test_scopes_are_exactly_the_given_ones(given: list[str], scopes: tuple[str, ...]) -> None:
    assert token_request(Wanted(scopes=given), PERSONAS, LIMITS).scopes == scopes


def test_without_scopes_a_user_gets_those_that_a_sign_in_asks_for_and_the_user_has() -> None:
    limits = Limits(usual=3600, longest=3600, leeway=60, scopes=("openid", "orders:read", "orders:write", "unknown"))
    scopes = [token_request(Wanted(user=user.email), PERSONAS, limits).scopes for user in (ADMIN, MEMBER)]
    assert scopes == [("openid", "orders:read", "orders:write"), ("openid", "orders:read")]


def test_roles_are_exactly_the_given_ones() -> None:
    assert token_request(Wanted(roles=["clerk", "clerk"]), PERSONAS, LIMITS).roles == ("clerk",)


@pytest.mark.parametrize(
    ("text", "expires_in", "lifetime"),
    [
        ("1", 1, 1),
        ("90s", 90, 90),
        ("5m", 300, 300),
        ("1h", 3600, 3600),
        ("3600", 3600, 3600),
        ("-61", -61, 3600),
        ("-5m", -300, 3600),
        ("-24h", -86400, 3600),
    ],
)
def test_a_lifetime_is_exactly_the_given_one(text: str, expires_in: int, lifetime: int) -> None:
    request = token_request(Wanted(expires=text), PERSONAS, LIMITS)
    assert (request.expires_in, request.lifetime) == (expires_in, lifetime)


KNOWN = "demo@example.test (Demo Admin), member@example.test (Demo Member), outsider@example.test (Demo Outsider)"
MEMBERS = "openid, profile, email, address, phone, orders:read"
ADMINS = MEMBERS.replace("orders", "audit:read, orders") + ", orders:write"
DURATION = "write it as 90s, 5m or 1h, or as a number of seconds; -5m gives a token that expired 5 minutes ago"
AGO = "choose from --expires -61s to --expires -24h"

WORDS = [
    pytest.param(
        Wanted(user="bob"),
        "no demo user is called 'bob'",
        f"choose from {KNOWN}, or add one to {FILE}",
        id="unknown-user",
    ),
    pytest.param(
        Wanted(user=""), "no demo user is called ''", f"choose from {KNOWN}, or add one to {FILE}", id="empty-user"
    ),
    pytest.param(
        Wanted(user="\x1b[31mred\x1b]0;title\x07"),
        r"no demo user is called '\x1b[31mred\x1b]0;title\x07'",
        f"choose from {KNOWN}, or add one to {FILE}",
        id="control-characters",
    ),
    pytest.param(
        Wanted(user="x" * 100_000),
        f"no demo user is called '{'x' * 60}…'",
        f"choose from {KNOWN}, or add one to {FILE}",
        id="oversized",
    ),
    pytest.param(
        Wanted(user="Demo Member", scopes=["orders:write"]),
        "Demo Member doesn't have the scope 'orders:write'",
        f"choose from {MEMBERS}, or use --user demo@example.test or --user outsider@example.test",
        id="scope-of-another-user",
    ),
    pytest.param(
        Wanted(scopes=["orders:read parcels:read"]),
        "Demo Admin doesn't have the scope 'parcels:read'",
        f"choose from {ADMINS}, or add 'parcels:read' to Demo Admin in {FILE}",
        id="scope-of-no-user",
    ),
    pytest.param(
        Wanted(user="Demo Member", scopes=["orders:write", "parcels:read"]),
        "Demo Member doesn't have the scopes 'orders:write' and 'parcels:read'",
        f"choose from {MEMBERS}, or add 'orders:write' and 'parcels:read' to Demo Member in {FILE}",
        id="two-scopes",
    ),
    pytest.param(
        Wanted(scopes=["ORDERS:READ"]),
        "Demo Admin doesn't have the scope 'ORDERS:READ'",
        f"choose from {ADMINS}, or add 'ORDERS:READ' to Demo Admin in {FILE}",
        id="scope-in-other-case",
    ),
    pytest.param(Wanted(scopes=[" "]), "--scope names no scope", f"choose from {ADMINS}", id="empty-scope"),
    pytest.param(
        Wanted(user="Demo Member", roles=["clerk"]),
        "Demo Member doesn't have the role 'clerk'",
        "choose from member, or use --user demo@example.test or --user outsider@example.test",
        id="role-of-another-user",
    ),
    pytest.param(
        Wanted(roles=["clerk", "auditor"]),
        "Demo Admin doesn't have the role 'auditor'",
        f"choose from admin, clerk, or add 'auditor' to Demo Admin in {FILE}",
        id="role-of-no-user",
    ),
    pytest.param(Wanted(roles=[""]), "--role names no role", "choose from admin, clerk", id="empty-role"),
    pytest.param(
        Wanted(user="Demo Member", tenant="other"),
        "Demo Member doesn't belong to the tenant 'other'",
        f"choose from demo ({DEMO}), or use --user demo@example.test or --user outsider@example.test",
        id="tenant-of-another-user",
    ),
    pytest.param(
        Wanted(user="Demo Outsider", tenant=DEMO),
        f"Demo Outsider doesn't belong to the tenant '{DEMO}'",
        f"choose from other ({OTHER}), or use --user demo@example.test or --user member@example.test",
        id="tenant-id-of-another-user",
    ),
    pytest.param(
        Wanted(tenant="nowhere"),
        "Demo Admin doesn't belong to the tenant 'nowhere'",
        f"choose from demo ({DEMO}), other ({OTHER}), or add 'nowhere' to Demo Admin in {FILE}",
        id="tenant-of-no-user",
    ),
    pytest.param(Wanted(expires="soon"), "--expires 'soon' is not a duration", DURATION, id="no-duration"),
    pytest.param(Wanted(expires=""), "--expires '' is not a duration", DURATION, id="empty-duration"),
    pytest.param(Wanted(expires="5m\n"), r"--expires '5m\n' is not a duration", DURATION, id="line-break"),
    pytest.param(Wanted(expires="٥m"), "--expires '٥m' is not a duration", DURATION, id="other-digits"),
    pytest.param(Wanted(expires="9999999"), "--expires '9999999' is not a duration", DURATION, id="seven-digits"),
    pytest.param(Wanted(expires="0"), "--expires 0 is not a lifetime", DURATION, id="zero"),
    pytest.param(Wanted(expires="-0m"), "--expires -0m is not a lifetime", DURATION, id="minus-zero"),
    pytest.param(
        Wanted(expires="3601"),
        "--expires 3601 is longer than the stack accepts: 60m",
        "choose at most --expires 60m, or start the stack with a larger JWT_MAX_LIFETIME_MINUTES",
        id="too-long",
    ),
    pytest.param(
        Wanted(expires="-60s"),
        "--expires -60s: the stack still accepts that token, because it tolerates a clock skew of 60 s "
        "(JWT_LEEWAY_SECONDS)",
        AGO,
        id="within-the-clock-skew",
    ),
    pytest.param(Wanted(expires="-86401"), "--expires -86401 is too long ago", AGO, id="too-long-ago"),
]


@pytest.mark.parametrize(("wanted", "problem", "remedy"), WORDS)
def test_everything_else_is_refused_with_words(wanted: Wanted, problem: str, remedy: str) -> None:
    with pytest.raises(Failure) as failure:
        token_request(wanted, PERSONAS, LIMITS)
    assert (str(failure.value), failure.value.remedy) == (problem, remedy)


def test_the_usual_lifetime_is_never_longer_than_the_stack_accepts() -> None:
    request = token_request(Wanted(), PERSONAS, Limits(usual=600, longest=600, leeway=60, scopes=SIGN_IN))
    assert (request.lifetime, request.expires_in) == (600, 600)
