"""Patterns written with IAM's wildcards, and the paths beyond them."""

from __future__ import annotations

import itertools
import re

import pytest

from tenantgate.route_rules.matching import GREEDY, PARAMETER, RouteTrie, Segments, precedence, segments
from tenantgate.route_rules.model import RouteRule
from tenantgate.route_rules.overlap import beyond, is_exact, more_specific, overrun, sharing, wildcard

# Every shape of up to three segments.
SHAPES: list[Segments] = [
    shape
    for length in (1, 2, 3)
    for shape in itertools.product(("a", "bb", PARAMETER, GREEDY), repeat=length)
    if GREEDY not in shape[:-1]
] + [("",), ("a", ""), (PARAMETER, "")]
# Every path of up to four segments, in each of which a parameter may have one or two characters.
PATHS = [f"/{'/'.join(parts)}" for length in range(1, 5) for parts in itertools.product(("", "a", "bb"), repeat=length)]


def matches(shape: Segments, path: str) -> bool:
    """Tell whether the shape matches the path, by a regular expression instead of the trie."""
    forms = {PARAMETER: "[^/]+", GREEDY: ".+"}
    return re.fullmatch("".join(f"/{forms.get(segment, re.escape(segment))}" for segment in shape), path) is not None


def iam_matches(pattern: str, path: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), path) is not None


@pytest.mark.parametrize("shape", SHAPES)
def test_the_wildcard_of_a_shape_matches_all_its_paths(shape: Segments) -> None:
    assert all(iam_matches(wildcard(shape), path) for path in PATHS if matches(shape, path))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_paths_beyond_a_shape_are_those_that_only_its_wildcard_matches(shape: Segments) -> None:
    for path in PATHS:
        if "//" in path or not iam_matches(wildcard(shape), path):
            continue
        found = any(iam_matches(pattern, path) for pattern in beyond(shape))
        if matches(shape, path):
            assert not (found and is_exact(shape)), path
        else:
            assert found, path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/a", []),
        ("/a/{x}", ["/a/*/*"]),
        ("/{x}/{y}/b", ["/*/*/*/b"]),
        ("/{x}/b/{y}", ["/*/*/b/?*", "/?*/b/*/*"]),
        ("/a/{r+}", []),
        ("/{x}/{r+}", []),
        ("/{x}/b/{r+}", ["/*/*/b/?*"]),
    ],
)
def test_patterns_of_the_paths_beyond(pattern: str, expected: list[str]) -> None:
    assert beyond(segments(pattern)) == expected
    assert is_exact(segments(pattern)) == (pattern != "/{x}/b/{r+}")


def trie_of(shapes: list[Segments]) -> RouteTrie:
    trie = RouteTrie()
    for shape in shapes:
        trie.add("GET", shape, RouteRule("GET", "/".join(("", *shape))))
    return trie


ALL = trie_of(SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_that_share_a_path_are_found(shape: Segments) -> None:
    own = {path for path in PATHS if matches(shape, path)}
    expected = {other for other in SHAPES if any(matches(other, path) for path in own)}

    found = [other for other, _ in sharing(ALL, shape)]
    assert len(found) == len(set(found))
    assert expected <= set(found)
    # Of shapes with a slash at the end, it may return some that share no path.
    assert all("" in other or "" in shape for other in set(found) - expected)
    assert {other for other, _ in more_specific(ALL, shape)} == {
        other for other in found if precedence(other) < precedence(shape)
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_that_the_wildcard_matches_beyond_its_own_are_found(shape: Segments) -> None:
    patterns = beyond(shape)
    extra = [path for path in PATHS if "//" not in path and any(iam_matches(pattern, path) for pattern in patterns)]
    expected = {other for other in SHAPES if other != shape and any(matches(other, path) for path in extra)}

    found = {other for other, _ in overrun(ALL, shape)}
    assert expected <= found
    assert shape not in found
    if not patterns:
        assert not found
