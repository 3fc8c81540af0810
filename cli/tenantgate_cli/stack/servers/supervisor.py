"""Run one server program, and end it with the parent process: `python -I -S supervisor.py '<json>'`.

The parent holds the other end of standard input. When that end closes, on purpose or because the parent died, this
process sends the server the stop signals. On Linux, the kernel stops the server if this process is killed. Uses only
the standard library.

The JSON: {"command": [...], "directory": path, "stdin": path, "log": path, "user": [uid, gid] | null,
"stop_signals": [[name, seconds to wait after it], ...]}.
Prints one line, the server's process id. The exit status is the server's, or 128 + the signal that killed it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from typing import NoReturn

_PR_SET_PDEATHSIG = 1


def _become(spec: dict[str, object], supervisor: int) -> NoReturn:
    """Replace the forked child process by the server."""
    command, user = spec["command"], spec["user"]
    assert isinstance(command, list)  # noqa: S101
    os.chdir(str(spec["directory"]))
    # Opened before the change of user: the other user may not have the right.
    log = os.open(str(spec["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(str(spec["stdin"]), os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    # In its own session, the server doesn't get the terminal's Ctrl-C: the parent stops it in order.
    os.setsid()
    if isinstance(user, list):
        uid, gid = user
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # The change of user would clear it, so it comes after.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != supervisor:
        os._exit(1)
    os.execv(command[0], command)  # noqa: S606


def main() -> int:
    spec = json.loads(sys.argv[1])
    # The parent handles the terminal's Ctrl-C. The wake-up pipe makes the end of the child visible to `poll`.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)

    own = os.getpid()
    server = os.fork()
    if server == 0:
        try:
            for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD"):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            _become(spec, own)
        except BaseException as error:  # noqa: BLE001
            os.write(2, f"FATAL:  {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(127)
    # A parent that is gone already closes standard input as well, which stops the server below.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{server}\n".encode())

    steps = [(getattr(signal, name), float(seconds)) for name, seconds in spec["stop_signals"]]
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    poll.register(woken, select.POLLIN)
    deadline: float | None = None
    while True:
        ended, status = os.waitpid(server, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        wait = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        events = dict(poll.poll(wait))
        if woken in events:
            os.read(woken, 512)
        if 0 in events and not os.read(0, 512):
            poll.unregister(0)
            deadline = time.monotonic()
        if deadline is not None and time.monotonic() >= deadline and steps:
            number, seconds = steps.pop(0)
            os.kill(server, signal.SIGCONT)
            os.kill(server, number)
            deadline = time.monotonic() + seconds if steps else None


if __name__ == "__main__":
    sys.exit(main())
