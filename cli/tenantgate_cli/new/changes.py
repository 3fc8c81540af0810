"""Changes to a checkout. Either all of them are made or the checkout is as before."""

from __future__ import annotations

import difflib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tenantgate_cli.console import Failure


@dataclass(frozen=True, slots=True)
class Change:
    """A file's new text. `before` is None for a file that doesn't exist yet."""

    path: str
    before: str | None
    after: str

    @property
    def action(self) -> str:
        return "create" if self.before is None else "change"

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        before = (self.before or "").splitlines(keepends=True)
        after = self.after.splitlines(keepends=True)
        source = "/dev/null" if self.before is None else f"a/{self.path}"
        return "".join(difflib.unified_diff(before, after, source, f"b/{self.path}"))


class Plan:
    """The changes to the files below `root`, collected before any of them is made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._created: dict[str, str] = {}
        self._changed: dict[str, tuple[str, str]] = {}

    @property
    def changes(self) -> list[Change]:
        """Return the new files, then the changed ones."""
        created = [Change(path, None, text) for path, text in self._created.items()]
        return created + [Change(path, before, after) for path, (before, after) in self._changed.items()]

    def create(self, path: str, text: str) -> None:
        """Add a file. Raises Failure if it exists."""
        if (self.root / path).exists() or (self.root / path).is_symlink():
            raise Failure(f"{path} exists", "choose another name, or remove it")
        self._created[path] = text

    def read(self, path: str) -> str:
        """Return a file's text with the changes so far. Raises Failure."""
        if path in self._changed:
            return self._changed[path][1]
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{path} can't be read: {error}") from None

    def change(self, path: str, text: str) -> None:
        """Give an existing file a new text."""
        before = self._changed[path][0] if path in self._changed else self.read(path)
        self._changed[path] = (before, text)


@contextmanager
def only_one(root: Path) -> Iterator[None]:
    """Raise Failure if another `tenantgate new` is running in this checkout: both would take the same numbers."""
    try:
        with (root / "Makefile").open(encoding="utf-8") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failure("another tenantgate new is running in this checkout", "wait until it has ended") from None
            yield
    except FileNotFoundError:
        raise Failure(f"{root} is not a checkout of Tenantgate", "run the command of a checkout") from None


def write(root: Path, changes: Sequence[Change], documents: Sequence[str]) -> list[str]:
    """Make the changes, format the new modules and write the generated documents. Return the documents that changed.

    After a failure or an interrupt every file is as before. Raises Failure.
    """
    before: dict[str, bytes | None] = {name: _bytes(root / name) for name in documents}
    folders: list[Path] = []
    try:
        for change in changes:
            path = root / change.path
            if _bytes(path) != (None if change.before is None else change.before.encode()):
                raise Failure(f"{change.path} has just been changed by another program", "run the command again")
            before[change.path] = _bytes(path)
            folders += _made_folders(path.parent)
            _replace(path, change.after)
        _format(root, [change.path for change in changes if change.before is None and change.path.endswith(".py")])
        _write_documents(root)
        return [name for name in documents if _bytes(root / name) != before[name]]
    except BaseException:
        _restore(root, before, folders)
        raise


def _format(root: Path, modules: list[str]) -> None:
    """Sort the imports and break long lines. In the written modules both depend on the names."""
    for arguments in (["check", "--select", "I", "--fix"], ["format"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--quiet", *modules],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        if "No module named ruff" in done.stderr:
            raise Failure("ruff, which formats the new modules, isn't installed", "make check   (installs it)")
        if done.returncode:
            raise Failure(f"the new modules can't be formatted; nothing was changed\n{done.stderr.strip()}")


def _write_documents(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tenantgate_cli", "docs"], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failure(f"the generated documents can't be written; nothing was changed\n{done.stderr.strip()}")


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        if path.exists():
            shutil.copymode(path, name)
        else:
            Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _made_folders(folder: Path) -> list[Path]:
    """Make a folder and its parents, and return those that were made, the deepest last."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir()
    return missing[::-1]


def _restore(root: Path, before: Mapping[str, bytes | None], folders: list[Path]) -> None:
    for name, content in before.items():
        if content is None:
            (root / name).unlink(missing_ok=True)
        elif _bytes(root / name) != content:
            (root / name).write_bytes(content)
    for folder in reversed(folders):
        # Importing the new modules for the documents leaves bytecode.
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
