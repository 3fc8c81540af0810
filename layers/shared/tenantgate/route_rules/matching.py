"""Paths and patterns: the readings of a path, and a trie that finds the rule for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenantgate.route_rules.model import RouteRule

PARAMETER = "{}"
GREEDY = "{+}"

# Literals, `{}` for one segment of at least one character, and `{+}` at the end for at least one character.
type Segments = tuple[str, ...]

# Characters that every router reads in the same way. Not `.`, which Windows drops at the end of a segment, and which
# can be a dot segment.
_UNFOLDED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-_~:@!$&'()*+,="


def segments(pattern: str) -> Segments:
    """Split a pattern: `/orders/{id}` → ("orders", "{}"). The last segment may be `{+}`; `$connect` has no segments."""
    return tuple(
        (GREEDY if part.endswith("+}") else PARAMETER) if part.startswith("{") else part
        for part in pattern.split("/")[1:]
    )


def names_a_slash(shape: Segments) -> bool:
    """Tell whether the pattern has a slash at its end. The root has none."""
    return shape[-1:] == ("",) and len(shape) > 1


def covers(shape: Segments, other: Segments) -> bool:
    """Tell whether `shape` matches every path that `other` matches."""
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
    """Return the sort key of shapes that match the same path: the first one decides on it."""
    return shape[-1:] == (GREEDY,), [(PARAMETER, GREEDY).index(s) + 1 if s in (PARAMETER, GREEDY) else 0 for s in shape]


def readings(path: str) -> tuple[str, ...]:
    """Return every spelling that a router may read the path as, the path itself first; none if it is ambiguous.

    A path is ambiguous if two readings have different segments, or if it can be decoded a second time. Letter case is
    not folded: API Gateway doesn't fold it, and a policy can't express it. See `foldings` and docs/ROUTE_RULES.md.
    """
    # Most paths contain nothing that any router folds.
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
    """Tell whether every router sees the same segments in the path.

    These make a difference: empty and blank segments, dot segments (RFC 3986 §5.2.4), also with blanks, which Windows
    drops at the end of a name, backslashes, which the URL parser of browsers and of Node.js reads as slashes, and
    control characters, which it drops and before which the `$` of a regular expression may match.
    """
    if path[:1] != "/" or "//" in path or "\\" in path or has_control_characters(path):
        return False
    return not any(not part.strip(". ") and (" " in part or part in (".", "..")) for part in path.split("/"))


def has_control_characters(text: str) -> bool:
    """Tell whether the text contains an ASCII control character."""
    return not text.isprintable() and any(character < " " or character == "\x7f" for character in text)


def foldings(path: str) -> list[str]:
    """Return the results of a router's single steps on a plain path. A router may take several, in any order."""
    # A decoded `?` or `#` ends the path once the path is put into a URL again.
    found = [path.partition(mark)[0] for mark in "?#" if mark in path]
    # Matrix parameters: `/admin;v=1` is `/admin` to Java's servers.
    if ";" in path:
        found.append("/".join(part.partition(";")[0] for part in path.split("/")))
    # URL parsers trim spaces at the end; Windows drops dots and spaces at the end of a name.
    if path[-1] == " ":
        found.append(path.rstrip(" "))
    if "./" in path or " /" in path or path[-1] in ". ":
        found.append("/".join(part.rstrip(". ") or part for part in path.split("/")))
    # REST APIs, and many frameworks, serve `/admin/` as `/admin`.
    if path[-1] == "/" and path != "/":
        found.append(path[:-1])
    return found


def _decoded(path: str) -> str | None:
    """The path with its escapes decoded once; None if the result has different segments, or escapes again."""
    from urllib.parse import unquote_to_bytes  # noqa: PLC0415  (rare, and a slow import)

    octets = unquote_to_bytes(path.encode("utf-8", "surrogatepass"))
    # `%u0061` is an escape to IIS.
    if unquote_to_bytes(octets) != octets or b"%u" in octets or b"%U" in octets:
        return None
    decoded = octets.decode("utf-8", "replace")
    return decoded if decoded.count("/") == path.count("/") else None


class Node:
    """A node of the trie: the rules that end here, by method, and the nodes that follow."""

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
        """Add a rule; `method` may be `ANY`. Of two rules for the same method and shape, the first stays."""
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
        """Return the rule of the most specific pattern for `method` that matches `path`.

        Each node has one depth, so that no node is visited twice.
        """
        parts = path.split("/")[1:]
        found = _exact(self.root, parts, 0, method)
        return found if found is not None else _greedy(self.root, parts, 0, method)

    def covering(self, method: str, pattern: Segments) -> RouteRule | None:
        """Return the rule of the most specific pattern for `method` that matches every path of `pattern`."""
        # No literal is spelled like a parameter, so only parameters and `{+}` match one.
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
    # `{+}` matches at least one character: in `/files/`, nothing follows the last slash.
    if node.greedy and (part or depth + 1 < len(parts)):
        return _for_method(node.greedy, method)
    return None


def _for_method(rules: dict[str, RouteRule], method: str) -> RouteRule | None:
    found = rules.get(method)
    return found if found is not None or method[:1] == "$" else rules.get("ANY")


def walk(node: Node, at: Segments = ()) -> Iterator[tuple[Segments, dict[str, RouteRule]]]:
    """Yield every pattern below `node` with its rules by method."""
    if node.rules:
        yield at, node.rules
    if node.greedy:
        yield (*at, GREEDY), node.greedy
    for literal, following in node.literals.items():
        yield from walk(following, (*at, literal))
    if node.parameter is not None:
        yield from walk(node.parameter, (*at, PARAMETER))
