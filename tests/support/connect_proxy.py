"""An HTTP proxy on loopback that tunnels (CONNECT, RFC 9110 §9.3.6) every name to this machine, and notes who asked."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self


class ConnectProxy:
    """`targets`: `host:port` of each CONNECT. `authorizations`: the `Proxy-Authorization` that came with it, or None.

    A tunnel leads to that port of this machine, or to `port` if it is given. `answer`, when it is set, replaces the
    tunnel; `drip` sends it byte by byte.
    """

    def __init__(self, port: int | None = None) -> None:
        self._port = port
        self.targets: list[str] = []
        self.authorizations: list[str | None] = []
        self.answer: bytes | None = None
        self.drip = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # Closing a socket doesn't wake the thread that accepts on it.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head:
                if not (chunk := client.recv(4096)):
                    return
                head += chunk
            request, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            self.targets.append(request.split(" ")[1])
            self.authorizations.append(headers.get("proxy-authorization"))
            if self.answer is not None:
                self._send(client, self.answer)
                return
            port = self._port or int(self.targets[-1].rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=10) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
                back.start()
                _pass_on(client, server)
                back.join(10)

    def _send(self, client: socket.socket, answer: bytes) -> None:
        if not self.drip:
            client.sendall(answer)
            return
        for byte in answer:
            client.sendall(bytes([byte]))
            time.sleep(0.02)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
