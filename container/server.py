"""How uvicorn serves the application, in the container and by `tenantgate serve`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from container.connections import BoundedProtocol

SERVER_OPTIONS: Mapping[str, Any] = {
    "http": BoundedProtocol,
    "ws": "none",
    # Off: by default any process on this machine, or anyone where FORWARDED_ALLOW_IPS is "*", could name the client's
    # address and scheme. Nothing here needs them: PUBLIC_BASE_URL says where clients reach this API.
    "proxy_headers": False,
    "log_config": None,
    "access_log": False,
    "server_header": False,
}
