"""`tests/contract/test_session_cookies.py` with the image as the container."""

from tests.contract.test_session_cookies import *  # noqa: F403
