"""`make shell`: `tenantgate` is a command there, in each shell, interactive or not."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.programs.requires import requires_zsh

SCRIPTS = str(Path(sys.prefix) / "bin")
SHELLS = ["bash", "sh", pytest.param("zsh", marks=requires_zsh), "dash"]
START = [sys.executable, "-m", "tenantgate_cli.commands.shell"]
ASK = 'command -v tenantgate; echo "level ${MAKELEVEL:-none}"; exit 3\n'


def environment(shell: str, home: Path) -> dict[str, str]:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    # The user's own files set the PATH from scratch.
    for name in (".bashrc", ".zshrc"):
        (home / name).write_text("export PATH=/usr/bin:/bin\nexport OWN=read\n")
    kept = {name: value for name, value in os.environ.items() if name not in ("ENV", "BASH_ENV", "ZDOTDIR")}
    return {**kept, "SHELL": program, "HOME": str(home), "PATH": "/usr/bin:/bin", "MAKELEVEL": "1", "TMPDIR": str(home)}


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_from_a_pipe_find_it(shell: str, tmp_path: Path) -> None:
    done = subprocess.run(
        START, input=ASK, env=environment(shell, tmp_path), capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (3, f"{SCRIPTS}/tenantgate\nlevel none\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_at_a_prompt_it_is_found_although_the_users_files_set_the_path(shell: str, tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        START,
        env=environment(shell, tmp_path),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        close_fds=True,
    )
    os.close(terminal)
    try:
        os.write(controller, f'echo "own ${{OWN:-none}}"; {ASK}'.encode())
        printed = _read_until_end(controller)
        code = process.wait(30)
    finally:
        process.kill()
        process.wait(30)
        os.close(controller)

    # The status of the last command isn't that of `make shell`, which would print an error.
    assert code == 0, printed
    lines = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]|\r", "", printed).splitlines()
    assert f"In this {shell}, `tenantgate` is a command. `exit` leaves it." in lines
    assert f"{SCRIPTS}/tenantgate" in lines
    assert "level none" in lines
    if shell in ("bash", "zsh"):
        assert any(line.endswith("own read") for line in lines)
    assert list(tmp_path.glob("tenantgate-shell-*")) == []


def _read_until_end(controller: int, seconds: float = 30) -> str:
    read = b""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not select.select([controller], [], [], 0.5)[0]:
            continue
        try:
            part = os.read(controller, 4096)
        except OSError:
            # Linux reports the end of a terminal as an error.
            break
        if not part:
            break
        read += part
    return read.decode(errors="replace")


def test_a_shell_that_does_not_exist_is_named(tmp_path: Path) -> None:
    variables = {**os.environ, "SHELL": "/nowhere/zsh", "TMPDIR": str(tmp_path)}
    done = subprocess.run(START, input=ASK, env=variables, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == (
        "✗ the shell /nowhere/zsh can't be started: No such file or directory\n  → SHELL=/bin/sh make shell\n"
    )
