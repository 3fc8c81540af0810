"""The main program of a function's process: Lambda's runtime client, in a process that ends with its parent.

    python bootstrap.py HANDLER [FOLDER …]

The folders are read-only, as /var/task and /opt are on Lambda. Started by path. Imports only what the runtime client
imports, so that the function's own imports show their cost, and a missing one fails.
"""

import _thread
import errno
import os
import sys

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# The audit events that change the entry of a folder, with the positions of the paths among their arguments.
_ENTRIES = {
    "os.link": slice(0, 2),
    "os.mkdir": slice(0, 1),
    "os.remove": slice(0, 1),
    "os.rename": slice(0, 2),
    "os.rmdir": slice(0, 1),
    "os.symlink": slice(1, 2),
}
# Those that change the file or folder itself, which the first argument may name by a link.
_CONTENTS = {"os.chmod", "os.truncate", "os.utime"}


def _die_with_parent() -> None:
    # Only the parent holds the other end of standard input, a pipe: it closes when the parent ends, also by SIGKILL.
    os.read(0, 1)
    os._exit(0)


def _text(path: object) -> str:
    """Return the path as text; an empty one for a file descriptor."""
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""


def _protect(folders: list[str]) -> None:
    """Let every attempt of Python code to change these folders fail, as on a read-only file system."""
    roots = tuple(os.path.realpath(folder) + os.sep for folder in folders)

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event in _ENTRIES:
            for given in map(_text, arguments[_ENTRIES[event]]):
                folder, name = os.path.split(given)
                check(f"{os.path.realpath(folder)}{os.sep}{name}", given)
        elif event in _CONTENTS or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING):
            given = _text(arguments[0])
            check(os.path.realpath(given), given)

    def check(path: str, given: str) -> None:
        # Bytecode is compiled before a deployment. Here the interpreter may keep it. And no deployment has the hidden
        # folders of a checkout, in which a developer's data may be.
        inside = [path[len(root) :] for root in roots if f"{path}{os.sep}".startswith(root)]
        is_code = any(not rest.startswith(".") for rest in inside)
        if given and is_code and f"{os.sep}__pycache__" not in path:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), given)

    sys.addaudithook(refuse)


if __name__ == "__main__":
    _thread.start_new_thread(_die_with_parent, ())
    from awslambdaric.__main__ import main

    if sys.argv[2:]:
        _protect(sys.argv[2:])
    main(["awslambdaric", sys.argv[1]])
