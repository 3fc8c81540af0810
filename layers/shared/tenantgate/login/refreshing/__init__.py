"""The provider's side of the refresh of sessions."""
