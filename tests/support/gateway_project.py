"""A small SAM project in a folder of its own, for the gateway's tests."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

HEAD = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  HttpApi:
    Type: AWS::Serverless::HttpApi
"""

REST_HEAD = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  RestApi:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
"""

_FUNCTION = """\
  {name}:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      CodeUri: functions/{folder}/
      Handler: functions.{folder}.handler.lambda_handler
"""


def function_resource(name: str, folder: str, more: str = "") -> str:
    """A function's lines of the template; `more` are further properties, unindented."""
    return _FUNCTION.format(name=name, folder=folder) + textwrap.indent(textwrap.dedent(more), " " * 6)


def event(method: str, path: str, more: str = "") -> str:
    """The `Events` property with one HttpApi event."""
    properties = f"ApiId: !Ref HttpApi, Method: {method}, Path: '{path}'{more}"
    return f"Events:\n  It:\n    Type: HttpApi\n    Properties: {{ {properties} }}\n"


def api_event(method: str, path: str, more: str = "") -> str:
    """The `Events` property with one Api event, for REST_HEAD."""
    properties = f"RestApiId: !Ref RestApi, Method: {method}, Path: '{path}'{more}"
    return f"Events:\n  It:\n    Type: Api\n    Properties: {{ {properties} }}\n"


DEFAULT_EVENT = "Events:\n  It:\n    Type: HttpApi\n    Properties: { ApiId: !Ref HttpApi }\n"


def write_project(folder: Path, template: str, handlers: Mapping[str, str]) -> Path:
    """Write `template.yaml` and `functions/<name>/handler.py` for each handler; the template's path."""
    for name, code in handlers.items():
        write_handler(folder, name, code)
    path = folder / "template.yaml"
    path.write_text(template)
    return path


def write_handler(folder: Path, name: str, code: str) -> Path:
    package = folder / "functions" / name
    package.mkdir(parents=True, exist_ok=True)
    path = package / "handler.py"
    path.write_text(textwrap.dedent(code))
    return path
