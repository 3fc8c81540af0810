"""The snippets of docs/GUARD_YOUR_API.md."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "GUARD_YOUR_API.md"


def snippets(language: str) -> list[str]:
    """The fenced blocks of this language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def sam_stack() -> str:
    """The page's SAM snippets as the template of one stack, with a function behind a route of each API."""
    rest, http, responses = snippets("yaml")
    apis = [textwrap.indent(rest + textwrap.indent(responses, "    "), "  "), textwrap.indent(http, "  ")]
    return f"""\
Transform: AWS::Serverless-2016-10-31
Resources:
{"".join(apis)}
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      CodeUri: orders/
      Handler: app.lambda_handler
      Events:
        Rest: {{ Type: Api, Properties: {{ RestApiId: !Ref OrdersRestApi, Method: get, Path: /orders }} }}
        Http: {{ Type: HttpApi, Properties: {{ ApiId: !Ref OrdersHttpApi, Method: GET, Path: /orders }} }}
"""
