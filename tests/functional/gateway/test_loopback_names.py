"""The names of this machine: the stack has one, and the others lead to it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

from tests.fixtures.browsers.scripted import Browser, location
from tests.fixtures.servers.ports import requires_ipv6, reserved_port
from tests.fixtures.stack.commands import ROOT, dev_stack
from tests.fixtures.stack.flow import sign_in_by_redirect, submit_demo_sign_in


@requires_ipv6
def test_a_port_that_is_taken_on_the_other_loopback_address_is_taken(tmp_path: Path) -> None:
    with reserved_port() as port, socket.socket(socket.AF_INET6) as holder:
        holder.bind(("::1", port))
        holder.listen()
        failed = subprocess.run(
            [sys.executable, "-m", "tenantgate_cli", "dev", "--port", str(port), "--data-dir", str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert failed.returncode == 1
    first, second = failed.stderr.splitlines()
    assert re.fullmatch(rf"✗ port {port} on \[::1\] is taken by .* \(process {os.getpid()}\)", first)
    assert re.fullmatch(r"  → stop that program, or choose another port: make dev PORT=\d+", second)


def test_the_data_of_a_stack_that_was_called_127_0_0_1_keep_working(tmp_path: Path) -> None:
    with reserved_port() as number:
        port = str(number)
        with dev_stack(tmp_path, "--port", port, env={"PUBLIC_BASE_URL": "http://127.0.0.1:3000"}) as named:
            assert named.url == f"http://127.0.0.1:{port}"
            with Browser() as browser:
                assert sign_in_by_redirect(browser, named.url).status_code == 303
        with dev_stack(tmp_path, "--port", port) as renamed:
            assert renamed.url == f"http://localhost:{port}"
            with Browser() as browser:
                assert sign_in_by_redirect(browser, renamed.url).status_code == 303
                # A client that has the old name in its redirect URI still gets its code.
                old = f"http://127.0.0.1:{port}/callback"
                begun = browser.get(f"{renamed.url}/api/v1/auth/login?{urlencode({'redirect_uri': old})}")
                assert submit_demo_sign_in(browser, location(begun)).startswith(f"{old}?")
