"""Paths against patterns: how else a path may be read, and a trie that finds the rule for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenantgate.route_rules.model import RouteRule

PARAMETER = "{}"
GREEDY = "{+}"

# Literals, `{}` for one segment of at least one character, `{+}` at the end for one character or more.
type Segments = tuple[str, ...]

# Of these, no router makes anything else. Not `.`, which ends a segment on Windows and can be a dot segment.
_UNFOLDED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-_~:@!$&'()*+,="


def segments(pattern: str) -> Segments:
    """`/orders/{id}` → ("orders", "{}"); the last one may be `{+}`. Empty for the `$connect` route."""
    return tuple(
        (GREEDY if part.endswith("+}") else PARAMETER) if part.startswith("{") else part
        for part in pattern.split("/")[1:]
    )


def covers(shape: Segments, other: Segments) -> bool:
    """Whether `shape` takes every path of `other`."""
    for index, segment in enumerate(shape):
        if segment == GREEDY:
            return len(other) > index and other[index:] != ("",)
        if index >= len(other) or other[index] == GREEDY:
            return False
        if segment == PARAMETER:
            if not other[index]:
                return False
        elif segment != other[index]:
            return False
    return len(shape) == len(other)


def precedence(shape: Segments) -> tuple[bool, list[int]]:
    """Sorts the shapes that take one and the same path: the first decides on it."""
    return shape[-1:] == (GREEDY,), [(PARAMETER, GREEDY).index(s) + 1 if s in (PARAMETER, GREEDY) else 0 for s in shape]


def readings(path: str) -> tuple[str, ...]:
    """Every spelling that a router may take the path for, as it came first; none if there is no telling.

    Two readings with other segments leave no telling, and neither does what would decode a second time. Letter case
    isn't folded: API Gateway doesn't, and no policy could say so. See `foldings` and docs/ROUTE_RULES.md.
    """
    # Most paths: nothing in them that any router folds.
    if not path.encode("utf-8", "surrogatepass").translate(None, _UNFOLDED) and (path[-1:] != "/" or path == "/"):
        return (path,) if path[:1] == "/" and "//" not in path else ()
    texts = [path]
    if "%" in path:
        decoded = _decoded(path)
        if decoded is None:
            return ()
        texts.append(decoded)
    found: dict[str, None] = {}
    while texts:
        text = texts.pop(0)
        if not is_plain(text):
            return ()
        found[text] = None
        texts += [folded for folded in foldings(text) if folded not in found]
    return tuple(found)


def is_plain(path: str) -> bool:
    """Whether every reader of the path sees the same segments.

    Not with empty or blank segments, dot segments (RFC 3986 §5.2.4), backslashes, which the URL parser of browsers and
    of Node.js takes for slashes, or control characters, which it drops and before which the `$` of a regular expression
    may match.
    """
    if path[:1] != "/" or "//" in path or "\\" in path or has_control_characters(path):
        return False
    return not any(part in (".", "..") or (part and not part.strip(" ")) for part in path.split("/"))


def has_control_characters(text: str) -> bool:
    """Whether one of ASCII's is in the text."""
    return not text.isprintable() and any(character < " " or character == "\x7f" for character in text)


def foldings(path: str) -> list[str]:
    """What single steps of routers make of a plain path. A router may take several, in any order."""
    # A decoded `?` or `#` ends the path where it is put into a URL again.
    found = [path.partition(mark)[0] for mark in "?#" if mark in path]
    # Matrix parameters: `/admin;v=1` is `/admin` to Java's servers.
    if ";" in path:
        found.append("/".join(part.partition(";")[0] for part in path.split("/")))
    # URL parsers trim blanks at the end; Windows drops dots and blanks at the end of a name.
    if path[-1] == " ":
        found.append(path.rstrip(" "))
    if "./" in path or " /" in path or path[-1] in ". ":
        found.append("/".join(part.rstrip(". ") or part for part in path.split("/")))
    # REST APIs, and many frameworks, serve `/admin/` as `/admin`.
    if path[-1] == "/" and path != "/":
        found.append(path[:-1])
    return found


def _decoded(path: str) -> str | None:
    """The path with its escapes decoded once; None if the result has other segments or escapes of its own."""
    from urllib.parse import unquote_to_bytes  # noqa: PLC0415  (rare, and an import that a cold start needn't pay)

    octets = unquote_to_bytes(path.encode("utf-8", "surrogatepass"))
    # `%u0061` is an escape to IIS.
    if unquote_to_bytes(octets) != octets or b"%u" in octets or b"%U" in octets:
        return None
    decoded = octets.decode("utf-8", "replace")
    return decoded if decoded.count("/") == path.count("/") else None


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

    def covering(self, method: str, pattern: Segments) -> RouteRule | None:
        """The rule of the most specific pattern for `method` that takes every path of `pattern`."""
        # No literal is spelled like a parameter, so that only parameters and `{+}` take one.
        parts = list(pattern)
        found = _exact(self.root, parts, 0, method) if pattern[-1:] != (GREEDY,) else None
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
