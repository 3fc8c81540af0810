"""`tests/contract/test_callback.py` with the image as the container."""

from tests.contract.test_callback import *  # noqa: F403
