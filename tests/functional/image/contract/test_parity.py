"""`tests/contract/test_parity.py` with the image as the container."""

from tests.contract.test_parity import *  # noqa: F403
