"""An HTTP request, with the properties that the events of every kind of API are built from."""

from __future__ import annotations

import re
import secrets
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from lambda_gateway.aws import new_trace_id

_HOST = re.compile(r"[A-Za-z0-9._~-]+(:[0-9]{1,5})?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_REQUEST_ID_ALPHABET = string.ascii_letters + string.digits


def new_request_id() -> str:
    """Return an id in API Gateway's form: 15 characters and `=`."""
    return "".join(secrets.choice(_REQUEST_ID_ALPHABET) for _ in range(15)) + "="


def api_gateway_time(seconds: float) -> str:
    """Format epoch seconds as API Gateway does: 21/Nov/2026:20:15:00 +0000."""
    given = time.gmtime(seconds)
    # strftime's %b would follow the machine's locale.
    return time.strftime(f"%d/{_MONTHS[given.tm_mon - 1]}/%Y:%H:%M:%S +0000", given)


@dataclass(slots=True)
class Request:
    """One HTTP request.

    path          decoded
    query         as sent
    headers       in order, with lower-case names
    encoded_path  the path as sent, which a REST API uses; None if only the decoded one is known
    received      epoch seconds
    """

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""
    source_ip: str = "127.0.0.1"
    protocol: str = "HTTP/1.1"
    scheme: str = "http"
    encoded_path: str | None = None
    request_id: str = field(default_factory=new_request_id)
    trace_id: str = field(default_factory=new_trace_id)
    received: float = field(default_factory=time.time)

    def header(self, name: str) -> str | None:
        """Return all values of a header, joined by commas as API Gateway joins them; None if it is absent."""
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None

    @property
    def host(self) -> str:
        """The `Host` header; `localhost` without one, as in HTTP/1.0."""
        host = self.header("host")
        return "localhost" if host is None else host

    @property
    def has_valid_host(self) -> bool:
        """The validity of `Host`: it must be a single host name or IPv4 address, as an API's address is."""
        return _HOST.fullmatch(self.host) is not None

    @property
    def domain(self) -> str:
        """The host without its port."""
        return self.host.partition(":")[0]

    @property
    def received_at(self) -> str:
        """The time of receipt in API Gateway's format."""
        return api_gateway_time(self.received)

    @property
    def forwarded(self) -> dict[str, str]:
        """The headers that API Gateway adds, with lower-case names."""
        _, _, port = self.host.rpartition(":")
        default_port = "443" if self.scheme == "https" else "80"
        before = self.header("x-forwarded-for")
        return {
            "x-amzn-trace-id": self.trace_id.split(";", 1)[0],
            "x-forwarded-for": f"{before}, {self.source_ip}" if before else self.source_ip,
            "x-forwarded-port": port if port.isdecimal() else default_port,
            "x-forwarded-proto": self.scheme,
        }
