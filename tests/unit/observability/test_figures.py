"""Figures in the embedded metric format."""

from __future__ import annotations

from tenantgate.observability.figures import embedded_metrics


def test_whole_numbers_are_metrics_and_the_others_dimensions() -> None:
    assert embedded_metrics({"use": "sessions", "cache_hits": 3, "cache_misses": 0}, created=1_700_000_000.5) == {
        "_aws": {
            "Timestamp": 1_700_000_000_500,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Tenantgate",
                    "Dimensions": [["service", "use"]],
                    "Metrics": [{"Name": "cache_hits", "Unit": "Count"}, {"Name": "cache_misses", "Unit": "Count"}],
                }
            ],
        },
        "use": "sessions",
        "cache_hits": 3,
        "cache_misses": 0,
    }
