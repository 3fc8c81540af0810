"""Figures in CloudWatch's embedded metric format: a log line that CloudWatch also reads as metrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from collections.abc import Mapping

# The logger whose lines have figures: the whole numbers of their context. Its other members are dimensions.
FIGURES = "tenantgate.figures"
NAMESPACE = "Tenantgate"


def embedded_metrics(context: Mapping[str, object], *, created: float) -> dict[str, object]:
    """Return the members that make a line with `service` a line of metrics. `created`: epoch seconds.

    The context has only the code's own words and counts, so a caller can neither mask nor choose any of it.
    """
    metrics = [name for name, value in context.items() if isinstance(value, int)]
    dimensions = ["service", *(name for name in context if name not in metrics)]
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [dimensions],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in metrics],
    }
    return {"_aws": {"Timestamp": int(created * 1000), "CloudWatchMetrics": [directive]}, **context}
