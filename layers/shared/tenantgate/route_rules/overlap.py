"""Route patterns written with IAM's wildcards, and the paths that these match in addition.

IAM's `*` also matches slashes: `/a/{id}` becomes `/a/?*`, which matches `/a/x` and, beyond the pattern, `/a/x/secret`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tenantgate.route_rules.matching import GREEDY, PARAMETER, Node, RouteTrie, Segments, precedence, walk

if TYPE_CHECKING:
    from tenantgate.route_rules.model import RouteRule

# A character or a class of characters, and whether it repeats. Both kinds of pattern consist of these.
type _Token = tuple[str, bool]
_ANY, _NO_SLASH = "any", "no slash"


def wildcard(shape: Segments) -> str:
    """Return the narrowest IAM pattern that matches every path of the shape."""
    return "".join("/?*" if segment in (PARAMETER, GREEDY) else f"/{segment}" for segment in shape)


def beyond(shape: Segments) -> list[str]:
    """Return IAM patterns for the paths that `wildcard(shape)` matches and the shape doesn't, except paths with `//`.

    There is one for each run of parameters: the same pattern with one more `/` in the run, so that it matches no path
    of the shape. A run that ends in `{+}` needs no pattern. Before a later `{+}`, a pattern may also match paths of the
    shape: see `is_exact`.
    """
    patterns: list[str] = []
    start = 0
    while start < len(shape):
        end = start
        while end < len(shape) and shape[end] == PARAMETER:
            end += 1
        if end > start and shape[end : end + 1] != (GREEDY,):
            patterns.append(wildcard(shape[:start]) + "/*" * (end - start + 1) + wildcard(shape[end:]))
        start = end + 1
    return patterns


def is_exact(shape: Segments) -> bool:
    """Tell whether `beyond` matches no path of the shape. If a `{+}` follows a `{}`, it may match some."""
    return shape[-1:] != (GREEDY,) or not beyond(shape)


def more_specific(trie: RouteTrie, shape: Segments) -> list[tuple[Segments, dict[str, RouteRule]]]:
    """Return the shapes that decide on some of the paths of `shape` because they are more specific."""
    own = precedence(shape)
    return [found for found in sharing(trie, shape) if precedence(found[0]) < own]


def sharing(trie: RouteTrie, shape: Segments) -> list[tuple[Segments, dict[str, RouteRule]]]:
    """Return the shapes that have a path in common with `shape`, including its own."""
    return list(_sharing(trie.root, shape, ()))


def _sharing(node: Node, rest: Segments, at: Segments) -> Iterator[tuple[Segments, dict[str, RouteRule]]]:
    """The shapes that have a path in common with `at` + `rest`."""
    if not rest:
        if node.rules:
            yield at, node.rules
        return
    if node.greedy:
        yield (*at, GREEDY), node.greedy
    if rest[0] == GREEDY:
        for shape, rules in walk(node, at):
            if shape not in (at, (*at, GREEDY)):
                yield shape, rules
        return
    for literal, following in _following(node, rest[0]):
        yield from _sharing(following, rest[1:], (*at, literal))
    if node.parameter is not None and rest[0]:
        yield from _sharing(node.parameter, rest[1:], (*at, PARAMETER))


def _following(node: Node, segment: str) -> list[tuple[str, Node]]:
    if segment == PARAMETER:
        return [(literal, following) for literal, following in node.literals.items() if literal]
    following = node.literals.get(segment)
    return [] if following is None else [(segment, following)]


def overrun(trie: RouteTrie, shape: Segments) -> list[tuple[Segments, dict[str, RouteRule]]]:
    """Return the other shapes with a path in `beyond(shape)`."""
    patterns = [_of_wildcards(pattern) for pattern in beyond(shape)]
    if not patterns:
        return []
    last = shape[-1]
    found: list[tuple[Segments, dict[str, RouteRule]]] = []
    for other, rules in _with_same_beginning(trie.root, shape):
        # Quick exclusions first: a path beyond the shape has more segments, and the same last one if it is a literal.
        if other == shape or (other[-1:] != (GREEDY,) and len(other) <= len(shape)):
            continue
        if other[-1] != last and {PARAMETER, GREEDY}.isdisjoint((other[-1], last)):
            continue
        tokens = _of_shape(other)
        if any(_meet(pattern, tokens) for pattern in patterns):
            found.append((other, rules))
    return found


def _with_same_beginning(root: Node, shape: Segments) -> Iterator[tuple[Segments, dict[str, RouteRule]]]:
    """Yield every shape that can begin like the literals at the beginning of `shape`."""
    places: list[tuple[Segments, Node]] = [((), root)]
    for segment in shape:
        if segment in (PARAMETER, GREEDY):
            break
        following: list[tuple[Segments, Node]] = []
        for at, node in places:
            if node.greedy:
                yield (*at, GREEDY), node.greedy
            following += [((*at, literal), child) for literal, child in _following(node, segment)]
            if node.parameter is not None:
                following.append(((*at, PARAMETER), node.parameter))
        places = following
    for at, node in places:
        yield from walk(node, at)


def _of_wildcards(pattern: str) -> list[_Token]:
    return [(_ANY, character == "*") if character in "*?" else (character, False) for character in pattern]


def _of_shape(shape: Segments) -> list[_Token]:
    tokens: list[_Token] = []
    for segment in shape:
        tokens.append(("/", False))
        if segment in (PARAMETER, GREEDY):
            kind = _ANY if segment == GREEDY else _NO_SLASH
            tokens += [(kind, False), (kind, True)]
        else:
            tokens += [(character, False) for character in segment]
    return tokens


def _meet(one: list[_Token], other: list[_Token]) -> bool:
    """Tell whether both match some path, by walking through the product of the two automata."""
    goal = len(one), len(other)
    pending, seen = [(0, 0)], {(0, 0)}
    while pending:
        i, j = pending.pop()
        if (i, j) == goal:
            return True
        steps: list[tuple[int, int]] = []
        if i < goal[0] and one[i][1]:
            steps.append((i + 1, j))
        if j < goal[1] and other[j][1]:
            steps.append((i, j + 1))
        if i < goal[0] and j < goal[1] and _common(one[i][0], other[j][0]):
            steps.append((i if one[i][1] else i + 1, j if other[j][1] else j + 1))
        for step in steps:
            if step not in seen:
                seen.add(step)
                pending.append(step)
    return False


def _common(one: str, other: str) -> bool:
    pair = {one, other}
    return len(pair) == 1 or _ANY in pair or (_NO_SLASH in pair and "/" not in pair)
