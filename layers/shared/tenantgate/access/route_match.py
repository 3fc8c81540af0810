"""Paths against patterns: a trie, so that matching costs what the path is long, not what the rules are many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenantgate.access.rules import RouteRule

PARAMETER = "{}"
GREEDY = "{+}"

# Literals, `{}` for one segment of at least one character, `{+}` at the end for one character or more.
type Segments = tuple[str, ...]


def is_plain(path: str) -> bool:
    """Whether every reader of the path sees the same segments: no `//`, no dot segments (RFC 3986 §5.2.4)."""
    if path[:1] != "/" or "//" in path:
        return False
    return not ("/." in path and any(part in (".", "..") for part in path.split("/")))


def readings(path: str) -> tuple[str, ...]:
    """The path as it came and, if that differs, as it reads decoded; none when the two have other segments.

    Something that would decode once more is refused, too: a second decoder would find a third path.
    """
    if "%" not in path:
        return (path,)
    from urllib.parse import unquote_to_bytes  # noqa: PLC0415  (rare, and an import that a cold start needn't pay)

    octets = unquote_to_bytes(path.encode("utf-8", "surrogatepass"))
    if unquote_to_bytes(octets) != octets:
        return ()
    decoded = octets.decode("utf-8", "replace")
    if decoded.count("/") != path.count("/") or not is_plain(decoded):
        return ()
    return (path, decoded)


class Node:
    """A place in the trie: the rules that end here by method, and what may follow."""

    __slots__ = ("greedy", "literals", "parameter", "rules")

    def __init__(self) -> None:
        self.rules: dict[str, RouteRule] = {}
        self.literals: dict[str, Node] = {}
        self.parameter: Node | None = None
        self.greedy: dict[str, RouteRule] = {}


class RouteTrie:
    """Rules by method and path pattern."""

    def __init__(self) -> None:
        self.root: Node = Node()

    def add(self, method: str, pattern: Segments, rule: RouteRule) -> None:
        """`method` may be `ANY`. The first of two rules for the same method and shape stays."""
        node = self.root
        for segment in pattern:
            if segment == GREEDY:
                node.greedy.setdefault(method, rule)
                return
            if segment == PARAMETER:
                if node.parameter is None:
                    node.parameter = Node()
                node = node.parameter
            else:
                following = node.literals.get(segment)
                if following is None:
                    following = node.literals[segment] = Node()
                node = following
        node.rules.setdefault(method, rule)

    def find(self, method: str, path: str) -> RouteRule | None:
        """The rule of the most specific pattern for `method` that takes `path`.

        Each node is at one depth, so that none is visited twice.
        """
        parts = path.split("/")[1:]
        found = _exact(self.root, parts, 0, method)
        return found if found is not None else _greedy(self.root, parts, 0, method)


def _exact(node: Node, parts: list[str], depth: int, method: str) -> RouteRule | None:
    if depth == len(parts):
        return _for_method(node.rules, method)
    part = parts[depth]
    following = node.literals.get(part)
    if following is not None and (found := _exact(following, parts, depth + 1, method)) is not None:
        return found
    if node.parameter is not None and part:
        return _exact(node.parameter, parts, depth + 1, method)
    return None


def _greedy(node: Node, parts: list[str], depth: int, method: str) -> RouteRule | None:
    if depth == len(parts):
        return None
    part = parts[depth]
    following = node.literals.get(part)
    if following is not None and (found := _greedy(following, parts, depth + 1, method)) is not None:
        return found
    if node.parameter is not None and part and (found := _greedy(node.parameter, parts, depth + 1, method)) is not None:
        return found
    # `{+}` takes at least one character: `/files/` has an empty last part, and nothing after it.
    if node.greedy and (part or depth + 1 < len(parts)):
        return _for_method(node.greedy, method)
    return None


def _for_method(rules: dict[str, RouteRule], method: str) -> RouteRule | None:
    found = rules.get(method)
    return found if found is not None or method[:1] == "$" else rules.get("ANY")


def walk(node: Node, at: Segments = ()) -> Iterator[tuple[Segments, dict[str, RouteRule]]]:
    """Every pattern below `node` with its values by method."""
    if node.rules:
        yield at, node.rules
    if node.greedy:
        yield (*at, GREEDY), node.greedy
    for literal, following in node.literals.items():
        yield from walk(following, (*at, literal))
    if node.parameter is not None:
        yield from walk(node.parameter, (*at, PARAMETER))
