"""The image's HEALTHCHECK: `python -I -S healthcheck.py` exits with 0 if the server in this container responds.

It asks for liveness: a container that is replaced when its database is down would not help.
"""

import os
import socket
import sys

SECONDS = 3
_REQUEST = b"GET /api/v1/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def problem() -> str:
    """Return what is wrong, empty if nothing is."""
    try:
        # An HTTP client would take three times as long to import as all of this takes.
        with socket.create_connection(
            ("127.0.0.1", int(os.environ.get("PORT") or 8000)), timeout=SECONDS
        ) as connection:
            connection.sendall(_REQUEST)
            status = connection.makefile("rb").readline(100)
    except OSError as error:
        return f"no response: {error}"
    return "" if status.startswith(b"HTTP/1.1 200 ") else f"not 200: {status!r}"


if __name__ == "__main__":
    # An empty text would be a failure, too.
    sys.exit(problem() or 0)
