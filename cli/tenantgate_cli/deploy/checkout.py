"""The checkout that is deployed: its commit, which has every change."""

from __future__ import annotations

import subprocess

from tenantgate_cli.console import Failure
from tenantgate_cli.paths import ROOT


def clean_commit() -> str:
    """Return the commit's id. Raises Failure if files differ from it: the release could not be made again."""
    changed = _git("status", "--porcelain")
    if changed:
        names = ", ".join(line[3:] for line in changed.splitlines()[:5])
        raise Failure(f"the checkout has changes that aren't committed: {names}", "git commit, or git stash")
    return _git("rev-parse", "HEAD")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = str(getattr(error, "stderr", "") or error).strip().partition("\n")[0]
        raise Failure(f"git can't name the commit: {reason}", "deploy from a git clone") from None
    return done.stdout.rstrip("\n")
