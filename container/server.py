"""uvicorn's options, for the container and `tenantgate serve`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from container.connections import BoundedProtocol

SERVER_OPTIONS: Mapping[str, Any] = {
    "http": BoundedProtocol,
    "ws": "none",
    "loop": "container.event_loop:AcceptingLoop",
    # Off: by default any local process, or any client if FORWARDED_ALLOW_IPS is "*", could forge the client's address
    # and scheme. They are not needed: PUBLIC_BASE_URL is the address of this API.
    "proxy_headers": False,
    "log_config": None,
    "access_log": False,
    "server_header": False,
}
