"""The main program of a function's process: Lambda's runtime client, in a process that ends with its parent.

Started by path, with the handler as its only argument. Imports only what the runtime client imports, so that the
function's own imports show their cost, and a missing one fails.
"""

import _thread
import os
import sys


def _die_with_parent() -> None:
    # Only the parent holds the other end of standard input, a pipe: it closes when the parent ends, also by SIGKILL.
    os.read(0, 1)
    os._exit(0)


if __name__ == "__main__":
    _thread.start_new_thread(_die_with_parent, ())
    from awslambdaric.__main__ import main

    main(["awslambdaric", sys.argv[1]])
