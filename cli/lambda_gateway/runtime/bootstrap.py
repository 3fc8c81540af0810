"""What a function's process runs: Lambda's own runtime client, in a process that can't outlive its parent.

Started by path, with the handler as its only argument. Imports nothing that the runtime client wouldn't: what is loaded
here would hide what the function itself costs or lacks.
"""

import _thread
import os
import sys


def _die_with_parent() -> None:
    # Standard input is a pipe whose other end only the parent holds: it ends when the parent does, however that came.
    os.read(0, 1)
    os._exit(0)


if __name__ == "__main__":
    _thread.start_new_thread(_die_with_parent, ())
    from awslambdaric.__main__ import main

    main(["awslambdaric", sys.argv[1]])
