"""For a server that refuses to run as root: whom to run it as, and a copy of its programs that this user can reach."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def unprivileged_user(existing_data: Path) -> tuple[int, int] | None:
    """User and group id to run as when this process is root, else None.

    The owner of `existing_data` if that isn't root, so that it can go on being read; else nobody.
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
    """Whether `user` may enter every folder above `path`, which it owns itself."""
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
    """`source` itself if `user` can reach it, else a copy of `parts` of it in a temporary folder, made once per `name`.

    A checkout below a closed folder (`/root`, a private temporary folder) is copied rather than opened to others.
    """
    if reachable(source, user):
        return source
    for parent in dict.fromkeys((Path("/var/tmp"), Path("/tmp"), Path(tempfile.gettempdir()))):  # noqa: S108
        if not parent.is_dir() or not reachable(parent / "copy", user):
            continue
        copy = parent / f"{name}-{os.geteuid()}"
        # In a folder that all can write: only a copy that root made and nobody else can change is used.
        if copy.is_dir(follow_symlinks=False):
            status = copy.lstat()
            if status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return copy
            copy = Path(tempfile.mkdtemp(prefix=name, dir=parent))
            copy.rmdir()
        _copy(source, copy, parts)
        return copy
    raise PermissionError(f"no folder for temporary files that user {user[0] if user else ''} can reach")


def _copy(source: Path, copy: Path, parts: tuple[str, ...]) -> None:
    """Copy aside and move into place, so that nobody meets half a copy."""
    making = Path(tempfile.mkdtemp(prefix=f".{copy.name}-", dir=copy.parent))
    try:
        for part in filter(lambda part: (source / part).exists(), parts):
            destination = making / part
            destination.parent.mkdir(parents=True, exist_ok=True)
            if (source / part).is_dir():
                shutil.copytree(source / part, destination)
            else:
                shutil.copy2(source / part, destination)
        for folder in (making, *(path for path in making.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        try:
            making.rename(copy)
        except OSError:
            # Another process was faster.
            if not copy.is_dir():
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
