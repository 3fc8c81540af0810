"""The hash of a built bundle: equal builds have equal hashes, on every machine and at any time."""

from __future__ import annotations

import hashlib
from pathlib import Path


def bundle_hash(folder: Path) -> str:
    """Return the SHA-256 of a bundle's files: their paths, modes and contents, in the order of the paths.

    Neither the times of the files nor the order of a directory count. SAM puts neither into the name under which it
    uploads a bundle, so that an equal one isn't uploaded again.
    """
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix().encode()
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(b"%d:%b %o %b\n" % (len(name), name, path.stat().st_mode & 0o777, content.encode()))
    return whole.hexdigest()


def bundle_hashes(build_dir: Path) -> dict[str, str]:
    """Return the hash of each bundle in `sam build`'s folder, by its logical id."""
    folders = [folder for folder in sorted(build_dir.iterdir()) if folder.is_dir()]
    # The others are nested stacks.
    return {folder.name: bundle_hash(folder) for folder in folders if not (folder / "template.yaml").exists()}
