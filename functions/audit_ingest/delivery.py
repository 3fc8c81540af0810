"""The event with which CloudWatch Logs delivers lines to a function.

    {"awslogs": {"data": base64(gzip(JSON))}}, and the JSON has messageType, logGroup and logEvents[].message

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from collections.abc import Mapping, Sequence

# Bytes of the JSON. An event of Lambda is at most 6 MB, and log lines are compressed to a tenth.
LONGEST = 64 * 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class NoDelivery(Exception):
    """An event that isn't a delivery. The text names what is wrong, and has no part of the event."""


def delivered_lines(event: object) -> Sequence[str]:
    """Return the lines of a delivery; none for CloudWatch's test of its destination. Raises `NoDelivery`."""
    content = _content(event)
    if content.get("messageType") == "CONTROL_MESSAGE":
        return ()
    events = content.get("logEvents")
    if content.get("messageType") != "DATA_MESSAGE" or not isinstance(events, list):
        raise NoDelivery("messageType or logEvents")
    lines = [one.get("message") if isinstance(one, dict) else None for one in events]
    # Without a text, an empty line, which is dropped and counted.
    return [line if isinstance(line, str) else "" for line in lines]


def _content(event: object) -> Mapping[str, object]:
    logs = event.get("awslogs") if isinstance(event, dict) else None
    data = logs.get("data") if isinstance(logs, dict) else None
    if not isinstance(data, str):
        raise NoDelivery("awslogs.data is missing")
    try:
        unpacker = zlib.decompressobj(_GZIP)
        text = unpacker.decompress(b64decode(data, validate=True), LONGEST)
        content = json.loads(text) if unpacker.eof else None
    except (ValueError, zlib.error, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise NoDelivery("awslogs.data isn't JSON in gzip in base64, or it is too large")
    return content
