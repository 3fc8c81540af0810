"""What routers in the field make of a path, written down apart from the product's own list of foldings."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote


def _decode(path: str) -> str:
    return unquote(path, errors="replace")


def _decode_as_iis(path: str) -> str:
    return re.sub(r"%u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), path)


def _without_slash(path: str) -> str:
    """REST APIs, Spring's trailing slash match, Flask without strict slashes, Express."""
    return path.rstrip("/") or "/"


def _merged_slashes(path: str) -> str:
    """nginx' `merge_slashes`."""
    return re.sub("/{2,}", "/", path)


def _without_dot_segments(path: str) -> str:
    """RFC 3986 §5.2.4: nginx, Tomcat, URL parsers."""
    slash = "/" if path.endswith(("/", "/.", "/..")) else ""
    return posixpath.normpath("/" + path.lstrip("/")).rstrip("/") + slash or "/"


def _without_matrix_parameters(path: str) -> str:
    """Tomcat, Jetty, Spring."""
    return re.sub(";[^/]*", "", path)


def _backslashes_as_slashes(path: str) -> str:
    """The WHATWG URL parser, IIS."""
    return path.replace("\\", "/")


def _without_line_breaks(path: str) -> str:
    """The WHATWG URL parser, anywhere in the text."""
    return re.sub("[\t\r\n]", "", path)


def _trimmed(path: str) -> str:
    """The WHATWG URL parser, at the end of the text."""
    return path.rstrip("".join(map(chr, range(0x21))))


def _before_the_last_line_break(path: str) -> str:
    """A regular expression that ends in `$`: Starlette's."""
    return path.removesuffix("\n")


def _before_a_nul(path: str) -> str:
    return path.partition("\0")[0]


def _before_query_and_fragment(path: str) -> str:
    """A decoded path that is put into a URL again."""
    return re.split(r"[?#]", path, maxsplit=1)[0]


def _names_of_windows(path: str) -> str:
    return "/".join(part if set(part) <= {"."} else part.rstrip(". ") for part in path.split("/"))


FOLDS = (
    _decode,
    _decode_as_iis,
    _without_slash,
    _merged_slashes,
    _without_dot_segments,
    _without_matrix_parameters,
    _backslashes_as_slashes,
    _without_line_breaks,
    _trimmed,
    _before_the_last_line_break,
    _before_a_nul,
    _before_query_and_fragment,
    _names_of_windows,
)


def spellings_read(path: str, *, steps: int = 4) -> set[str]:
    """Every path that up to `steps` of these, one after another, make of this one; itself among them."""
    found, fresh = {path}, {path}
    for _ in range(steps):
        fresh = {fold(one) or "/" for one in fresh for fold in FOLDS} - found
        found |= fresh
    return {path for path in found if path.startswith("/")}
