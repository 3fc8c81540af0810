"""Read the subscription filters whose destination is a function of the template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lambda_gateway.logs.patterns import parse_pattern
from lambda_gateway.model import FunctionSpec, Subscription, TemplateError
from lambda_gateway.template.intrinsics import function_name
from lambda_gateway.template.resources import Resources


def subscriptions(resources: Resources, functions: Mapping[str, FunctionSpec]) -> Iterator[Subscription]:
    """Yield each `AWS::Logs::SubscriptionFilter` with a known destination. Raises TemplateError."""
    for name in resources.of_kind("AWS::Logs::SubscriptionFilter"):
        where = f"Resources.{name}.Properties"
        given = resources.properties(name)
        try:
            destination = function_name(resources.resolve(given.get("DestinationArn"), f"{where}.DestinationArn"))
            group = str(resources.resolve(given.get("LogGroupName"), f"{where}.LogGroupName"))
        except TemplateError:
            # Only a deployment knows it, such as a stream of another service.
            continue
        if destination in functions:
            pattern = resources.resolve(given.get("FilterPattern", ""), f"{where}.FilterPattern")
            yield Subscription(name, group, destination, parse_pattern(str(pattern), where))
