"""Filter patterns of CloudWatch Logs: the supported form, and an error for every other."""

from __future__ import annotations

import json

import pytest

from lambda_gateway.logs.patterns import parse_pattern
from lambda_gateway.model import TemplateError

BOTH = '{ ($.message = "audit event") && ($.context.level = "INFO") }'


@pytest.mark.parametrize(
    ("pattern", "line", "matches"),
    [
        pytest.param("", "anything", True, id="every-line"),
        pytest.param('{ $.message = "a b" }', '{"message": "a b"}', True, id="equal"),
        pytest.param('{ $.message = "a b" }', '{"message": "a b c"}', False, id="longer"),
        pytest.param('{ $.message = "a b" }', '{"other": "a b"}', False, id="another-member"),
        pytest.param('{ $.message = "a b" }', 'x {"message": "a b"}', False, id="not-json"),
        pytest.param('{ $.message = "a b" }', '["a b"]', False, id="not-an-object"),
        pytest.param('{ $.message = "a b" }', '{"message": "\\"message\\": \\"a b\\""}', False, id="in-a-text"),
        pytest.param(BOTH, '{"message": "audit event", "context": {"level": "INFO"}}', True, id="both"),
        pytest.param(BOTH, '{"message": "audit event", "level": "INFO"}', False, id="at-another-place"),
        pytest.param(BOTH, json.dumps({"message": "x audit event", "context": {"level": "INFO"}}), False, id="one"),
    ],
)
def test_a_line_matches_as_on_aws(pattern: str, line: str, *, matches: bool) -> None:
    assert parse_pattern(pattern, "x")(line) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        "ERROR",
        "[ip, user]",
        '{ $.message != "a" }',
        '{ $.message = "a*" }',
        "{ $.status = 500 }",
        '{ ($.a = "b") || ($.c = "d") }',
        '{ $.a = "b" && $.c = "d" }',
    ],
)
def test_another_form_is_an_error(pattern: str) -> None:
    with pytest.raises(TemplateError, match=r"AuditEvents\.FilterPattern"):
        parse_pattern(pattern, "AuditEvents")
