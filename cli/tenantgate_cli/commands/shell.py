"""`make shell`: the user's shell with `.venv/bin` first on the PATH: `python -m tenantgate_cli.commands.shell`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from tenantgate_cli.console import Failure, say, show_failure

# make sets these for its recipes. In them the command would take itself to be called by make.
_OF_MAKE = ("MAKELEVEL", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKE_TERMOUT", "MAKE_TERMERR")
# As a shell reports a command that it doesn't find.
_NOT_STARTED = 127


def main() -> int:
    """Run the shell, and return its exit status; 0 for a shell at a prompt, which returns that of the last command."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    scripts = str(Path(sys.prefix) / "bin")
    environment["PATH"] = os.pathsep.join([scripts, environment.get("PATH", os.defpath)])
    shell = environment.get("SHELL") or "/bin/sh"
    if not sys.stdin.isatty():
        return _run([shell], environment)
    say(f"In this {Path(shell).name}, `tenantgate` is a command. `exit` leaves it.")
    # A handler, because the shell would inherit it if the signal were ignored.
    signal.signal(signal.SIGINT, lambda *_: None)
    with tempfile.TemporaryDirectory(prefix="tenantgate-shell-") as folder:
        arguments, variables = _interactive(Path(shell).name, scripts, environment, Path(folder))
        status = _run([shell, *arguments], environment | variables)
    return status if status == _NOT_STARTED else 0


def _run(arguments: list[str], environment: dict[str, str]) -> int:
    try:
        return subprocess.run(arguments, env=environment, check=False).returncode
    except OSError as error:
        problem = f"the shell {arguments[0]} can't be started: {error.strerror}"
        show_failure(Failure(problem, "SHELL=/bin/sh make shell"))
        return _NOT_STARTED


def _interactive(
    shell: str, scripts: str, environment: Mapping[str, str], folder: Path
) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and variables with which a shell sets the PATH after the user's own start-up files.

    These files may set the PATH from scratch. The start-up file for this shell is written to `folder`.
    """
    file = folder / ".zshrc"
    first = f"export PATH={quote(scripts)}:$PATH\n"
    if shell == "bash":
        file.write_text(f"{_read('~/.bashrc')}{first}", encoding="utf-8")
        return ["--rcfile", str(file), "-i"], {}
    if shell == "zsh":
        own = environment.get("ZDOTDIR") or environment.get("HOME") or "/"
        files = "".join(_read(quote(f"{own}/{name}")) for name in (".zshenv", ".zshrc"))
        file.write_text(f"export ZDOTDIR={quote(own)}\n{files}{first}", encoding="utf-8")
        return ["-i"], {"ZDOTDIR": str(folder)}
    if shell == "fish":
        return ["--init-command", f"set -gx PATH {quote(scripts)} $PATH"], {}
    if shell in ("sh", "dash", "ksh", "mksh"):
        file.write_text(f"{_read(quote(environment['ENV'])) if 'ENV' in environment else ''}{first}", encoding="utf-8")
        return ["-i"], {"ENV": str(file)}
    return [], {}


def _read(file: str) -> str:
    return f"[ ! -r {file} ] || . {file}\n"


if __name__ == "__main__":
    sys.exit(main())
