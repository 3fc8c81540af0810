"""The subscriptions of a template: their group, their function, and the log group of each function."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_gateway.model import TemplateError
from lambda_gateway.template.reader import read_template

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {{ Runtime: python3.13, Handler: app.handler, CodeUri: src/, LoggingConfig: {{ LogGroup: !Ref Logs }} }}
Resources:
  Logs: {{ Type: AWS::Logs::LogGroup }}
  OwnLogs: {{ Type: AWS::Logs::LogGroup }}
  Stream: {{ Type: AWS::Kinesis::Stream }}
  Writer: {{ Type: AWS::Serverless::Function, Properties: {{}} }}
  Reader:
    Type: AWS::Serverless::Function
    Properties: {{ AutoPublishAlias: live, LoggingConfig: {{ LogGroup: !Ref OwnLogs }} }}
  ToReader:
    Type: AWS::Logs::SubscriptionFilter
    Properties:
      LogGroupName: !Ref Logs
      DestinationArn: !Ref Reader.Alias
      FilterPattern: '{pattern}'
  ToStream:
    Type: AWS::Logs::SubscriptionFilter
    Properties: {{ LogGroupName: !Ref Logs, DestinationArn: !GetAtt Stream.Arn, FilterPattern: ERROR }}
"""


def template(folder: Path, pattern: str) -> Path:
    path = folder / "template.yaml"
    path.write_text(TEMPLATE.format(pattern=pattern))
    return path


def test_a_subscription_of_a_function_is_read_and_one_of_another_service_is_not(tmp_path: Path) -> None:
    read = read_template(template(tmp_path, '{ $.message = "marked" }'))
    (one,) = read.subscriptions
    assert (one.name, one.log_group, one.function) == ("ToReader", "Logs", "Reader")
    assert one.pattern('{"message": "marked"}')
    assert {name: spec.log_group for name, spec in read.functions.items()} == {"Writer": "Logs", "Reader": "OwnLogs"}
    assert read.joined(read).subscriptions == (one, one)


def test_a_pattern_that_is_not_supported_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="ToReader"):
        read_template(template(tmp_path, "ERROR"))
