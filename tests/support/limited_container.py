"""`python -m tests.support.limited_container '{"header_seconds": 0.5}'`: the container's server, with other limits."""

import json
import sys

from container.__main__ import main
from container.connections import BoundedProtocol, ConnectionLimits


class OtherLimits(BoundedProtocol):
    limits = ConnectionLimits(**json.loads(sys.argv[1]))


if __name__ == "__main__":
    main(OtherLimits)
