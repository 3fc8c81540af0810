"""`tests/contract/test_parity.py` with the container of `container/compose.yaml`."""

from tests.contract.test_parity import *  # noqa: F403
