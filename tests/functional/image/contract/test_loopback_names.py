"""`tests/contract/test_loopback_names.py` with the image as the container."""

from tests.contract.test_loopback_names import *  # noqa: F403
