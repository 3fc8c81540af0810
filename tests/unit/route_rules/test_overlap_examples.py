"""Patterns as IAM wildcards: the paths that a wildcard takes beyond its pattern, and the patterns that share a path."""

from __future__ import annotations

import pytest

from tenantgate.route_rules.matching import RouteTrie, Segments, segments
from tenantgate.route_rules.model import RouteRule
from tenantgate.route_rules.overlap import beyond, is_exact, more_specific, overrun, sharing, wildcard


@pytest.mark.parametrize(
    ("pattern", "taken", "too_much", "exact"),
    [
        ("/", "/", [], True),
        ("/a", "/a", [], True),
        ("/{x}", "/?*", ["/*/*"], True),
        ("/{x}/{y}", "/?*/?*", ["/*/*/*"], True),
        ("/a/{x}", "/a/?*", ["/a/*/*"], True),
        ("/a/b/{x}/c", "/a/b/?*/c", ["/a/b/*/*/c"], True),
        ("/{x}/b/{y}", "/?*/b/?*", ["/*/*/b/?*", "/?*/b/*/*"], True),
        ("/{x}/{y}/b/{z}", "/?*/?*/b/?*", ["/*/*/*/b/?*", "/?*/?*/b/*/*"], True),
        ("/{r+}", "/?*", [], True),
        ("/a/{r+}", "/a/?*", [], True),
        ("/{x}/{r+}", "/?*/?*", [], True),
        ("/{x}/{y}/{r+}", "/?*/?*/?*", [], True),
        ("/{x}/b/{r+}", "/?*/b/?*", ["/*/*/b/?*"], False),
        ("/{x}/b/{y}/{r+}", "/?*/b/?*/?*", ["/*/*/b/?*/?*"], False),
    ],
)
def test_a_pattern_as_a_wildcard(pattern: str, taken: str, too_much: list[str], exact: bool) -> None:
    shape = segments(pattern)
    assert wildcard(shape) == taken
    assert beyond(shape) == too_much
    assert is_exact(shape) is exact


PATTERNS = ("/", "/a", "/a/", "/{x}", "/a/b", "/a/{x}", "/{x}/b", "/{x}/{y}", "/a/{r+}", "/{x}/b/c", "/{r+}", "/b/{r+}")


def trie(*patterns: str) -> RouteTrie:
    found = RouteTrie()
    for pattern in patterns:
        found.add("GET", segments(pattern), RouteRule("GET", pattern))
    return found


def patterns_of(found: list[tuple[Segments, dict[str, RouteRule]]]) -> set[str]:
    return {rules["GET"].pattern for _, rules in found}


@pytest.mark.parametrize(
    ("pattern", "common", "first"),
    [
        # A greedy pattern counts as sharing the path with an empty rest: a Deny more, never one too few.
        ("/", {"/", "/{r+}"}, set()),
        ("/a", {"/a", "/{x}", "/{r+}"}, set()),
        ("/a/", {"/a/", "/a/{r+}", "/{r+}"}, set()),
        ("/{x}", {"/a", "/{x}", "/{r+}"}, {"/a"}),
        ("/a/b", {"/a/b", "/a/{x}", "/{x}/b", "/{x}/{y}", "/a/{r+}", "/{r+}"}, set()),
        ("/a/{x}", {"/a/b", "/a/{x}", "/{x}/b", "/{x}/{y}", "/a/{r+}", "/{r+}"}, {"/a/b"}),
        ("/{x}/b", {"/a/b", "/a/{x}", "/{x}/b", "/{x}/{y}", "/a/{r+}", "/b/{r+}", "/{r+}"}, {"/a/b", "/a/{x}"}),
        ("/b/{r+}", {"/b/{r+}", "/{x}/b", "/{x}/{y}", "/{x}/b/c", "/{r+}"}, {"/{x}/b", "/{x}/{y}", "/{x}/b/c"}),
        (
            "/a/{r+}",
            {"/a/", "/a/b", "/a/{x}", "/{x}/b", "/{x}/{y}", "/{x}/b/c", "/a/{r+}", "/{r+}"},
            {"/a/", "/a/b", "/a/{x}", "/{x}/b", "/{x}/{y}", "/{x}/b/c"},
        ),
        ("/{r+}", set(PATTERNS), set(PATTERNS) - {"/{r+}"}),
        ("/c/d", {"/{x}/{y}", "/{r+}"}, set()),
        ("/c/b/c", {"/{x}/b/c", "/{r+}"}, set()),
    ],
)
def test_patterns_that_share_a_path_and_those_that_decide_on_it(
    pattern: str, common: set[str], first: set[str]
) -> None:
    found, shape = trie(*PATTERNS), segments(pattern)
    assert patterns_of(sharing(found, shape)) == common
    assert patterns_of(more_specific(found, shape)) == first


@pytest.mark.parametrize(
    ("pattern", "others", "taken"),
    [
        ("/a/b", ["/a/b/c", "/{x}/b"], []),
        ("/{x}", ["/a", "/a/b", "/{x}/{y}", "/", "/a/b/c"], ["/a/b", "/{x}/{y}", "/a/b/c"]),
        ("/a/{x}", ["/a/b", "/a/b/c", "/b/c/d", "/{x}/b/c", "/{x}/{y}"], ["/a/b/c", "/{x}/b/c"]),
        ("/{x}/b", ["/a/c/b", "/a/c/d", "/a/c/{y}", "/a/{r+}", "/b"], ["/a/c/b", "/a/c/{y}", "/a/{r+}"]),
        ("/{x}/b/c", ["/a/a/a/c", "/a/a/b/c", "/a/{x}/{y}/c"], ["/a/a/b/c", "/a/{x}/{y}/c"]),
        ("/a/{x}", ["/{r+}", "/b/{r+}", "/a/{r+}"], ["/{r+}", "/a/{r+}"]),
        ("/{x}/{r+}", ["/a/b", "/a/b/c"], []),
        ("/ab/{x}", ["/ab/c/d", "/a/b/c", "/abc/d/e"], ["/ab/c/d"]),
    ],
)
def test_patterns_with_a_path_that_a_wildcard_takes_beyond_its_pattern(
    pattern: str, others: list[str], taken: list[str]
) -> None:
    assert patterns_of(overrun(trie(pattern, *others), segments(pattern))) == set(taken)
