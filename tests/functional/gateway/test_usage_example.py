"""The usage example in the docstring of `lambda_gateway`, run as it is in another team's project."""

import subprocess
import sys
import textwrap
from pathlib import Path

import lambda_gateway

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  OrdersFunction:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      CodeUri: src/
      Handler: app.lambda_handler
      Environment: { Variables: { TABLE_NAME: !Ref Table } }
      Events:
        Get: { Type: HttpApi, Properties: { Method: GET, Path: "/orders/{id}" } }
  Table:
    Type: AWS::Serverless::SimpleTable
"""
HANDLER = """\
import os

def lambda_handler(event, context):
    return {"table": os.environ["TABLE_NAME"], "order": event["pathParameters"]["id"]}
"""


def example() -> str:
    lines = (lambda_gateway.__doc__ or "").splitlines(keepends=True)
    return textwrap.dedent("".join(line for line in lines if line.startswith("    ") or not line.strip()))


def test_the_example_runs_in_another_project(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(HANDLER)

    done = subprocess.run(
        [sys.executable, "-c", example()], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stderr == ""
    assert done.stdout == "200 {'table': 'orders', 'order': '42'}\n"
