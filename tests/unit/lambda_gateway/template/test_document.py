"""CloudFormation's YAML."""

from pathlib import Path

import pytest

from lambda_gateway.model import TemplateError
from lambda_gateway.template.document import load_template


def test_reads_the_short_forms_of_yaml(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("Resources:\n  A: !GetAtt B.Arn\n  C: !Sub '${B}'\n  D: !If [X, !Ref Y, {k: !Ref Z}]\n")
    assert load_template(path)["Resources"] == {
        "A": {"Fn::GetAtt": ["B", "Arn"]},
        "C": {"Fn::Sub": "${B}"},
        "D": {"Fn::If": ["X", {"Ref": "Y"}, {"k": {"Ref": "Z"}}]},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "can't be read", id="missing"),
        pytest.param("a: [", "is not YAML", id="broken"),
        pytest.param("a: 1", "has no Resources", id="something-else"),
        pytest.param("!!python/object/apply:os.getcwd []", "is not YAML", id="code-in-yaml-isnt-run"),
    ],
)
def test_reports_why_a_template_cannot_be_read(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "template.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TemplateError, match=message):
        load_template(path)
