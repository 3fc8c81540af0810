"""Runs in SAM CLI's own environment: turns template.yaml into plain CloudFormation, offline, and prints it as JSON."""

import json
import sys
from pathlib import Path

from samtranslator.translator.transform import transform  # type: ignore[import-not-found]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-not-found]

# What `sam package` would put there.
_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


class ManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


template = yaml_parse(Path(sys.argv[1]).read_text(encoding="utf-8"))
for resource in template["Resources"].values():
    if resource["Type"] in _CODE:
        resource["Properties"][_CODE[resource["Type"]]] = "s3://bucket/key"
print(json.dumps(transform(template, {}, ManagedPolicies())))
