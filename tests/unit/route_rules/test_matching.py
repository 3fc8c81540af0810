"""Readings of paths, shapes of patterns, and the trie that finds the rule for a path."""

from __future__ import annotations

import pytest

from tenantgate.route_rules.matching import (
    RouteTrie,
    Segments,
    covers,
    has_control_characters,
    is_plain,
    precedence,
    readings,
    segments,
    walk,
)
from tenantgate.route_rules.model import RouteRule


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/admin/", {"/admin/", "/admin"}, id="slash-at-the-end"),
        pytest.param("/a%64min", {"/a%64min", "/admin"}, id="escape"),
        pytest.param("/admin;v=1", {"/admin;v=1", "/admin"}, id="matrix-parameter"),
        pytest.param("/admin;v=1/", {"/admin;v=1/", "/admin;v=1", "/admin/", "/admin"}, id="both"),
        pytest.param("/admin%3Bv", {"/admin%3Bv", "/admin;v", "/admin"}, id="matrix-parameter-encoded"),
        pytest.param("/admin.", {"/admin.", "/admin"}, id="dot-at-the-end"),
        pytest.param("/admin%20", {"/admin%20", "/admin ", "/admin"}, id="blank-at-the-end"),
        pytest.param("/admin./x", {"/admin./x", "/admin/x"}, id="dot-at-the-end-of-a-segment"),
        pytest.param("/admin%3Fx", {"/admin%3Fx", "/admin?x", "/admin"}, id="question-mark"),
        pytest.param("/admin%23x", {"/admin%23x", "/admin#x", "/admin"}, id="fragment"),
        pytest.param("/Admin", {"/Admin"}, id="letter-case-is-kept"),
        pytest.param("/%e2%82%ac", {"/%e2%82%ac", "/€"}, id="unicode"),
        pytest.param("/a...b/c.d", {"/a...b/c.d"}, id="dots-within"),
        pytest.param("/.well-known/x", {"/.well-known/x"}, id="dot-at-the-beginning"),
    ],
)
def test_every_spelling_that_a_router_folds_is_a_reading(path: str, expected: set[str]) -> None:
    assert set(readings(path)) == expected
    assert readings(path)[0] == path


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/a%2Fb", id="encoded-slash"),
        pytest.param("/%2561", id="decodes-twice"),
        pytest.param("/%25u0061", id="decodes-to-an-escape-of-another-kind"),
        pytest.param("/a//b", id="empty-segment"),
        pytest.param("/a/%2E%2E", id="dot-segment-once-decoded"),
        pytest.param("/a/;x/b", id="empty-segment-once-folded"),
        pytest.param("a", id="no-slash-at-the-beginning"),
        pytest.param("", id="empty"),
    ],
)
def test_an_ambiguous_path_has_no_reading(path: str) -> None:
    assert readings(path) == ()


def test_a_path_of_halves_of_characters_is_still_read() -> None:
    assert readings("/\ud800") == ("/\ud800",)


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/", True),
        ("/a/b/", True),
        ("/a b", True),
        ("/...", True),
        ("/a/.", False),
        ("/../a", False),
        ("/a//b", False),
        ("/ /a", False),
        ("/a\\b", False),
        ("/a\x00", False),
        ("a", False),
        ("", False),
    ],
)
def test_a_plain_path_has_the_same_segments_for_every_router(path: str, plain: bool) -> None:
    assert is_plain(path) is plain


@pytest.mark.parametrize(
    ("text", "found"),
    [("", False), ("a b", False), ("é€", False), ("\x85", False), ("\xad", False), ("a\n", True), ("\x7f", True)],
)
def test_control_characters_are_those_of_ascii(text: str, found: bool) -> None:
    assert has_control_characters(text) is found


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", ()),
        ("/", ("",)),
        ("/a", ("a",)),
        ("/a/", ("a", "")),
        ("/orders/{id}/{rest+}", ("orders", "{}", "{+}")),
    ],
)
def test_a_pattern_is_split_into_segments(pattern: str, expected: Segments) -> None:
    assert segments(pattern) == expected


@pytest.mark.parametrize(
    ("shape", "other", "covered"),
    [
        pytest.param("/a", "/a", True, id="equal-literals"),
        pytest.param("/a", "/b", False, id="different-literals"),
        pytest.param("/a", "/a/b", False, id="longer"),
        pytest.param("/a/b", "/a", False, id="shorter"),
        pytest.param("/{x}", "/a", True, id="parameter-and-literal"),
        pytest.param("/{x}", "/{y}", True, id="two-parameters"),
        pytest.param("/a", "/{x}", False, id="literal-and-parameter"),
        pytest.param("/{x}", "/", False, id="parameter-and-nothing"),
        pytest.param("/{x}", "/{r+}", False, id="parameter-and-rest"),
        pytest.param("/a", "/{r+}", False, id="literal-and-rest"),
        pytest.param("/{r+}", "/{x}/b", True, id="rest-and-segments"),
        pytest.param("/{r+}", "/{s+}", True, id="two-rests"),
        pytest.param("/{r+}", "/", False, id="rest-and-the-root"),
        pytest.param("/a/{r+}", "/a/", False, id="rest-and-nothing-behind-the-slash"),
        pytest.param("/a/{r+}", "/a", False, id="rest-and-no-slash"),
        pytest.param("/a/{r+}", "/a/b/c/", True, id="rest-and-a-slash-at-the-end"),
    ],
)
def test_a_shape_covers_another_if_it_matches_all_its_paths(shape: str, other: str, covered: bool) -> None:
    assert covers(segments(shape), segments(other)) is covered


def test_precedence_is_that_of_api_gateway() -> None:
    patterns = ["/a/b", "/a/{x}", "/{x}/b", "/{x}/{y}", "/a/{r+}", "/{x}/{r+}", "/{r+}"]

    assert sorted(set(patterns), key=lambda pattern: precedence(segments(pattern))) == patterns


def trie(*routes: str) -> RouteTrie:
    made = RouteTrie()
    for route in routes:
        method, _, pattern = route.partition(" ")
        made.add(method, segments(pattern), RouteRule(method, pattern))
    return made


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/a", "GET /a"),
        ("POST", "/a", "ANY /a"),
        ("GET", "/x", "GET /{x}"),
        ("POST", "/x", None),
        ("GET", "/", None),
        ("GET", "/f/a/b", "GET /f/{r+}"),
        ("GET", "/f/", None),
        ("GET", "/f//", "GET /f/{r+}"),
        ("GET", "/g/x/z/1", "GET /g/{x}/z/{r+}"),
        ("GET", "/g/y/z/1", "GET /g/y/{r+}"),
        ("$connect", "", "$connect"),
        ("$disconnect", "/a", None),
    ],
)
def test_the_trie_finds_the_most_specific_rule(method: str, path: str, found: str | None) -> None:
    routes = ("GET /a", "ANY /a", "GET /{x}", "GET /f/{r+}", "GET /g/{x}/z/{r+}", "GET /g/y/{r+}", "$connect ")
    rule = trie(*routes).find(method, path)

    assert (rule.route if rule else None) == found


def test_a_rule_for_any_method_is_not_for_connect() -> None:
    assert trie("ANY ").find("$connect", "") is None


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/a/b", "GET /a/b"),
        ("/a/{y}", "GET /{x}/{y}"),
        ("/{z}/{y}", "GET /{x}/{y}"),
        ("/a/{r+}", "GET /a/{s+}"),
        ("/b/{r+}", None),
        ("/a/b/c", "GET /a/{s+}"),
        ("/q", None),
    ],
)
def test_the_trie_finds_the_rule_that_covers_a_pattern(pattern: str, found: str | None) -> None:
    rule = trie("GET /a/b", "GET /{x}/{y}", "GET /a/{s+}").covering("GET", segments(pattern))

    assert (rule.route if rule else None) == found


def test_of_two_rules_for_the_same_requests_the_first_stays() -> None:
    for pattern, path in (("/{a}", "/x"), ("/x/{a+}", "/x/y")):
        made = trie()
        first = RouteRule("GET", pattern, public=True)
        made.add("GET", segments(pattern), first)
        made.add("GET", segments(pattern), RouteRule("GET", pattern))
        assert made.find("GET", path) is first


def test_walking_yields_every_pattern_once() -> None:
    routes = ("GET /", "GET /a", "POST /a", "GET /a/{x}", "GET /a/{r+}", "GET /{x}/b", "ANY /{r+}")
    found = {(shape, method) for shape, rules in walk(trie(*routes).root) for method in rules}

    assert len(found) == len(routes)
    assert found == {(segments(pattern), method) for method, _, pattern in (route.partition(" ") for route in routes)}
