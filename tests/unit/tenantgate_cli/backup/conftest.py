"""Both stores of anchors."""

from tests.fixtures.transparency.anchors import s3, store

__all__ = ["s3", "store"]  # fixtures
