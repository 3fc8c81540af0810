"""The entry point of the `tenantgate` script and of `python -m tenantgate_cli`.

Imports take most of the first second, and Python would end each of them with a stack trace at Ctrl-C. Nothing needs to
be cleaned up yet, so Ctrl-C ends the process at once. Commands that start something handle the signal themselves.
"""

# ruff: noqa: E402
import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)
# `make` blocks it while Python itself starts. One that came meanwhile ends the process here.
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

from tenantgate_cli.main import app

__all__ = ["app"]
