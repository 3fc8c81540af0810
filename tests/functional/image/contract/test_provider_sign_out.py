"""`tests/contract/test_provider_sign_out.py` with the image as the container."""

from tests.contract.test_provider_sign_out import *  # noqa: F403
