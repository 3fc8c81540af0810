"""The published versions of a stack's functions: the ones that are served, and the old ones.

A version stays until someone deletes it, and one with SnapStart costs money for its snapshot all that time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tenantgate.aws.failures import failure_name
from tenantgate_cli.console import Failure

_CONNECT_SECONDS, _READ_SECONDS = 3, 20
_MAY = (
    "cloudformation:DescribeStacks and ListStackResources, lambda:ListAliases, ListVersionsByFunction, DeleteFunction"
)
REMEDY = f"name the stack, set AWS_PROFILE and AWS_REGION, and allow your role {_MAY}"
_ALWAYS = "$LATEST"


@dataclass(frozen=True, slots=True)
class Versions:
    """The numbers of a function's versions. `function`: its name. `snapshots`: those of `old` that have a snapshot."""

    function: str
    kept: tuple[int, ...]
    old: tuple[int, ...]
    snapshots: tuple[int, ...] = ()


class StackVersions:
    """The functions of one stack. Its methods raise Failure if AWS refuses or doesn't respond."""

    def __init__(self, stack: str, region: str | None) -> None:
        import boto3  # noqa: PLC0415  (slow to import)
        from botocore.config import Config  # noqa: PLC0415

        limits = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
        self._stack = stack
        try:
            self._formation: Any = boto3.client("cloudformation", region_name=region, config=limits)
            self._lambda: Any = boto3.client("lambda", region_name=region, config=limits)
        except Exception as error:  # noqa: BLE001  (boto3's errors have no common base)
            raise Failure(f"AWS can't be called: {failure_name(error)}", REMEDY) from None

    def found(self, keep: int) -> list[Versions]:
        """Return the versions of each function: kept are those of an alias, and the `keep` newest ones."""
        try:
            self._require_rest()
            return [self._of(function, keep) for function in self._functions()]
        except Failure:
            raise
        except Exception as error:  # noqa: BLE001  (as above)
            raise Failure(f"the versions of {self._stack} can't be read: {failure_name(error)}", REMEDY) from None

    def delete(self, function: str, version: int) -> str:
        """Delete a version. Return AWS's code if it refuses: it does so for a version that an alias has got since."""
        try:
            self._lambda.delete_function(FunctionName=function, Qualifier=str(version))
        except self._lambda.exceptions.ResourceNotFoundException:
            return ""
        except Exception as error:  # noqa: BLE001  (as above)
            return failure_name(error)
        return ""

    def _require_rest(self) -> None:
        """Raise Failure unless the last deployment is complete: a rollback needs the versions of the release before."""
        [stack] = self._formation.describe_stacks(StackName=self._stack)["Stacks"]
        status = str(stack["StackStatus"])
        if not status.endswith("_COMPLETE"):
            remedy = "wait until the deployment or the rollback has ended; continue a rollback that failed"
            raise Failure(f"{self._stack} may still need its versions for a rollback: {status}", remedy)

    def _functions(self) -> Iterator[str]:
        for page in self._formation.get_paginator("list_stack_resources").paginate(StackName=self._stack):
            for resource in page["StackResourceSummaries"]:
                if resource["ResourceType"] == "AWS::Lambda::Function" and resource.get("PhysicalResourceId"):
                    yield str(resource["PhysicalResourceId"])

    def _of(self, function: str, keep: int) -> Versions:
        # First the versions: one that is published in the meantime isn't in the list.
        found = [
            each
            for page in self._lambda.get_paginator("list_versions_by_function").paginate(FunctionName=function)
            for each in page["Versions"]
            if each["Version"] != _ALWAYS
        ]
        numbers = sorted(int(each["Version"]) for each in found)
        kept = self._of_aliases(function) | set(numbers[len(numbers) - min(keep, len(numbers)) :])
        old = tuple(number for number in numbers if number not in kept)
        with_snapshot = {
            int(each["Version"]) for each in found if each.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions"
        }
        return Versions(
            function,
            tuple(number for number in numbers if number in kept),
            old,
            tuple(number for number in old if number in with_snapshot),
        )

    def _of_aliases(self, function: str) -> set[int]:
        """Return the versions to which aliases point, also with a part of the requests, as during a canary."""
        found: set[str] = set()
        for page in self._lambda.get_paginator("list_aliases").paginate(FunctionName=function):
            for alias in page["Aliases"]:
                weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
                found |= {str(alias["FunctionVersion"]), *map(str, weights)}
        return {int(version) for version in found if version != _ALWAYS}
