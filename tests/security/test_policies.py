"""A compiled policy allows exactly the requests that the rules allow, for random rules, principals and paths.

The policy is evaluated by an independent evaluator (tests/fixtures/authorizer/iam.py), and the rules by a third
implementation, which is as simple as possible: regular expressions in order of precedence.
"""

from __future__ import annotations

import json
import re
from itertools import product
from urllib.parse import unquote

import pytest
from hypothesis import example, given, note, settings
from hypothesis import strategies as st

from tenantgate.authorizer.iam_policy import compile_policy
from tenantgate.authorizer.method_arn import MethodArn
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.model import ANY, METHODS, RouteRule
from tests.fixtures.authorizer.iam import allows
from tests.fixtures.gateway.router_folds import spellings_read

pytestmark = pytest.mark.unmeasured

STAGE = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/"
NOW = 1_800_000_000.0
SCOPES = ("read", "write", "admin")


def principal(*scopes: str, **claims: object) -> Principal:
    return Principal("u", "org-1", "https://issuer.example", frozenset(scopes), int(NOW) + 60, "bearer", claims)


# Few words, so that patterns overlap, and one word that no pattern has.
SEGMENT = st.sampled_from(["a", "b", "ab", "{x}", "{y}"])
PATTERN = st.builds(
    lambda inner, last: "/" + "/".join([*inner, *last]),
    st.lists(SEGMENT, max_size=3),
    st.sampled_from([["a"], ["b"], ["{x}"], ["{x}"], ["{rest+}"], [""]]),
)
REQUIREMENT = st.sampled_from([{}, {"public": True}, *({"scopes": frozenset({scope})} for scope in SCOPES)])
RULE = st.builds(
    lambda method, pattern, asked: RouteRule(method, pattern, **asked),
    st.sampled_from(["GET", "POST", ANY]),
    PATTERN,
    REQUIREMENT,
)
RULES = st.lists(
    RULE, min_size=1, max_size=7, unique_by=lambda rule: (rule.method, re.sub(r"\{[xy]\}", "{}", rule.pattern))
)
HELD = st.sets(st.sampled_from(SCOPES))
WORDS = ("a", "b", "ab", "c", "")
PATHS = ["/" + "/".join(parts) for count in (1, 2, 3) for parts in product(WORDS, repeat=count)] + [
    "/" + "/".join(parts) for count in (4, 5) for parts in product(("a", "ab", "c"), repeat=count)
]
# Other segments that a request may contain: dots, escapes, wildcards and so on.
ODD_SEGMENT = st.sampled_from([
    *WORDS,
    *(".", "..", "...", "%61", "%2e", "%2F", "a%2fb", "%25", "%", "%%41", "%4%31", "%zz", "*", "a:b", "é", "%C3"),
    *("a;v=1", ";", "a.", "a. ", " ", "a%20", "%20", "b%2E", "a%0a", "a%00", "a%3Bv", "a%3fq", "a%23", "a#f", "a%5c"),
    *("%u0061", "%2561", "a\\", "..;", "..%3b", ".%20", ".. ", "a%7f", "%252F", "%5Cb", "a%5Cb"),
])  # fmt: skip
ODD_PATH = st.lists(ODD_SEGMENT, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


def reference(rules: list[RouteRule], method: str, path: str) -> RouteRule | None:
    """Return the rule that decides on a plain path: the most specific one that matches."""

    def order(rule: RouteRule) -> tuple[bool, list[int], bool]:
        kinds = [2 if part.endswith("+}") else 1 if part.startswith("{") else 0 for part in rule.pattern.split("/")]
        return 2 in kinds, kinds, rule.method == ANY

    taking = [
        rule
        for rule in rules
        if rule.method in (method, ANY)
        and re.fullmatch(
            re.sub(r"\\{\w\\}", "[^/]+", re.sub(r"\\{rest\\\+\\}", "(?s:.+)", re.escape(rule.pattern))), path
        )
    ]
    return min(taking, key=order, default=None)


def names_a_slash(rule: RouteRule | None) -> bool:
    return rule is not None and rule.pattern.endswith("/") and rule.pattern != "/"


def deciding(rules: list[RouteRule], method: str, path: str) -> list[RouteRule]:
    """Return the rule for this spelling and, because frameworks handle HEAD like GET, the rule for GET."""
    found = [reference(rules, method, path), reference(rules, "GET", path) if method == "HEAD" else None]
    return [rule for rule in found if rule is not None]


def allowed_by(rules: list[RouteRule], method: str, path: str, scopes: set[str]) -> bool:
    """Return whether every reading of a path is allowed; only a trailing slash may be unusual."""
    own = reference(rules, method, path)
    must = deciding(rules, method, path) + [rule for rule in deciding(rules, method, f"{path}/") if names_a_slash(rule)]
    if path != "/" and path.endswith("/"):
        bare = reference(rules, method, path[:-1])
        if bare is None and not names_a_slash(own):
            return False
        must += deciding(rules, method, path[:-1])
    return own is not None and all(may(rule, scopes) for rule in must)


def denied_somewhere(rules: list[RouteRule], method: str, path: str, scopes: set[str]) -> str | None:
    """Describe a reading of the path that a rule matches and denies."""
    for read in sorted(spellings_read(path)):
        for rule in deciding(rules, method, read):
            if not may(rule, scopes):
                return f"{path!r} is {read!r} to some routers, which {rule.route} denies"
    return None


def may(rule: RouteRule | None, scopes: set[str]) -> bool:
    return rule is not None and (rule.public or rule.scopes <= scopes)


def ask(method: str, path: str) -> str:
    return f"{STAGE}{method}{path}"


@settings(max_examples=400, deadline=None)
@given(RULES, HELD, st.sampled_from(METHODS), st.sampled_from(PATHS))
def test_engine_decides_like_the_simple_implementation(
    rules: list[RouteRule], scopes: set[str], method: str, path: str
) -> None:
    decision = ApiRules("api", rules).decide(method, path, principal(*scopes), now=NOW)

    if "//" in path:
        assert not decision.allowed
        return
    assert decision.allowed == allowed_by(rules, method, path, scopes)
    assert not decision.allowed or decision.rule == reference(rules, method, path)


@settings(max_examples=400, deadline=None)
@given(RULES, HELD, st.sampled_from(["GET", "HEAD"]), st.lists(ODD_PATH, min_size=1, max_size=10))
def test_no_spelling_of_a_denied_path_is_allowed(
    rules: list[RouteRule], scopes: set[str], method: str, paths: list[str]
) -> None:
    api = ApiRules("api", rules)
    for path in paths:
        if api.decide(method, path, principal(*scopes), now=NOW).allowed:
            assert denied_somewhere(rules, method, path, scopes) is None


# A policy denies these in addition to the rules, because IAM can't express their other readings.
STRICTER = re.compile(r"[%;#\\]|/\.\.|/ |[. ](/|$)")
# IAM's grammar has only the control characters tab, line feed and carriage return; only the rules deny others.
INEXPRESSIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


_GETS = (RouteRule("GET", "/a/a"), RouteRule("GET", "/a/{x}", scopes=frozenset({"read"})))


# HEAD on /a/a is allowed by the last rule and the first one's GET; on /a/b the second one's GET denies it.
@example(
    [*_GETS, RouteRule("ANY", "/a/{x}")],
    set(),
    "HEAD",
    [],
    False,
)
@example(
    [*_GETS, RouteRule("ANY", "/{p+}")],
    set(),
    "HEAD",
    [],
    False,
)
@example(
    [*_GETS, RouteRule("ANY", "/{p+}")],
    set(),
    "HEAD",
    [],
    True,
)
@settings(max_examples=400, deadline=None)
@given(RULES, HELD, st.sampled_from(["GET", "POST", "HEAD"]), st.lists(ODD_PATH, max_size=30), st.booleans())
def test_policy_matches_the_rules_exactly(
    rules: list[RouteRule], scopes: set[str], method: str, odd_paths: list[str], listed: bool
) -> None:
    api, caller = ApiRules("api", rules, every_route_listed=listed), principal(*scopes)
    policy = compile_policy(api, caller, arn=MethodArn.parse(ask("GET", "/a")), now=NOW, decoded=True)
    note(json.dumps(policy))

    for path in [*PATHS, *odd_paths, *(unquote(path).partition("?")[0] for path in odd_paths)]:
        by_policy = allows(policy.document, ask(method, path))
        decision = api.decide(method, path, caller, now=NOW)
        if INEXPRESSIBLE.search(path):
            assert not decision.allowed, path
        elif by_policy:
            # Also if the rules list every route and API Gateway has no route for this spelling of the path.
            assert denied_somewhere(rules, method, path, scopes) is None
            assert decision.allowed or (listed and decision.rule is None), path
        elif decision.allowed and policy.complete:
            assert STRICTER.search(path), path


@settings(max_examples=200, deadline=None)
@given(RULES, HELD, st.sampled_from(["GET", "POST"]), st.one_of(st.sampled_from(PATHS), ODD_PATH))
def test_incomplete_policy_is_right_for_its_own_request(
    rules: list[RouteRule], scopes: set[str], method: str, path: str
) -> None:
    api, caller = ApiRules("api", rules), principal(*scopes)
    policy = compile_policy(api, caller, arn=MethodArn.parse(ask(method, path)), now=NOW)
    decision = api.decide(method, path, caller, now=NOW)

    if not policy.complete and not {"*", "?"} & set(path):
        assert allows(policy.document, ask(method, path)) == decision.allowed
    assert not allows(policy.document, ask(method, path)) or decision.allowed
