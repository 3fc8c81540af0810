"""The fixtures of the tests of `tenantgate doctor`."""

from tests.fixtures.doctor.configured import api, configured, published

__all__ = ["api", "configured", "published"]
