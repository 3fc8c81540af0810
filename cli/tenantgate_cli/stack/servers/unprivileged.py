"""Run a server that can't run as root: choose its user, and copy its programs to a folder that this user can enter."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def unprivileged_user(existing_data: Path) -> tuple[int, int] | None:
    """Return the user and group id to run as if this process is root, otherwise None.

    It is the owner of `existing_data`, so that the server can read it, or else the user `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if existing_data.exists() and (owner := existing_data.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    with suppress(KeyError):
        nobody = pwd.getpwnam("nobody")
        return nobody.pw_uid, nobody.pw_gid
    return None


def reachable(path: Path, user: tuple[int, int] | None) -> bool:
    """Return True if `user` may enter every folder above `path`."""
    if user is None:
        return True
    uid, gid = user
    for folder in path.resolve().parents:
        status = folder.stat()
        if status.st_uid == uid:
            needed = stat.S_IXUSR
        elif status.st_gid == gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True


def reachable_copy(source: Path, user: tuple[int, int] | None, *, name: str, parts: tuple[str, ...]) -> Path:
    """Return `source` if `user` can enter it, otherwise a copy of its `parts` in a temporary folder, one per `name`.

    Copying leaves the permissions of a private folder, such as `/root`, unchanged.
    """
    if reachable(source, user):
        return source
    for parent in dict.fromkeys((Path("/var/tmp"), Path("/tmp"), Path(tempfile.gettempdir()))):  # noqa: S108
        if not parent.is_dir() or not reachable(parent / "copy", user):
            continue
        copy = parent / f"{name}-{os.geteuid()}"
        # Every user can write to the parent folder: accept only a copy that root made and no other user can change.
        if copy.is_dir(follow_symlinks=False):
            status = copy.lstat()
            if status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return copy
            copy = Path(tempfile.mkdtemp(prefix=name, dir=parent))
            copy.rmdir()
        _copy(source, copy, parts)
        return copy
    raise PermissionError(f"user {user[0] if user else ''} can enter no folder for temporary files")


def _copy(source: Path, copy: Path, parts: tuple[str, ...]) -> None:
    """Copy to another folder and rename it, so that no process sees an incomplete copy."""
    new = Path(tempfile.mkdtemp(prefix=f".{copy.name}-", dir=copy.parent))
    try:
        for part in filter(lambda part: (source / part).exists(), parts):
            destination = new / part
            destination.parent.mkdir(parents=True, exist_ok=True)
            if (source / part).is_dir():
                shutil.copytree(source / part, destination)
            else:
                shutil.copy2(source / part, destination)
        for folder in (new, *(path for path in new.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        try:
            new.rename(copy)
        except OSError:
            # Another process finished the same copy first.
            if not copy.is_dir():
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
