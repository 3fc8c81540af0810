"""Filter patterns of CloudWatch Logs for JSON, as far as a local run needs them.

    { $.message = "audit event" }
    { ($.message = "audit event") && ($.level = "INFO") }

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from lambda_gateway.model import TemplateError

_TERM = re.compile(r'\$\.(\w+(?:\.\w+)*) = "([^"\\*]*)"')

type Pattern = Callable[[str], bool]


def parse_pattern(text: str, where: str) -> Pattern:
    """Return the test of a line by a pattern. An empty pattern matches every line.

    Raises TemplateError for a pattern of another form than above: a wrong one would deliver other lines than AWS.
    """
    inner = text.strip()
    if not inner:
        return lambda _line: True
    if not (inner.startswith("{") and inner.endswith("}")):
        raise _unsupported(where, text)
    terms = [part.strip() for part in inner[1:-1].split("&&")]
    if len(terms) > 1:
        if not all(term.startswith("(") and term.endswith(")") for term in terms):
            raise _unsupported(where, text)
        terms = [term[1:-1].strip() for term in terms]
    expected: list[tuple[tuple[str, ...], str]] = []
    for term in terms:
        found = _TERM.fullmatch(term)
        if found is None:
            raise _unsupported(where, text)
        expected.append((tuple(found[1].split(".")), found[2]))
    return lambda line: _matches(line, expected)


def _matches(line: str, expected: list[tuple[tuple[str, ...], str]]) -> bool:
    # Most lines don't have the text at all.
    if not all(value in line for _, value in expected):
        return False
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return all(_member(content, path) == value for path, value in expected)


def _member(content: object, path: tuple[str, ...]) -> object:
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _unsupported(where: str, text: str) -> TemplateError:
    return TemplateError(
        f'{where}.FilterPattern: {text}: only {{ $.name = "text" }} is supported locally, joined by &&'
    )
