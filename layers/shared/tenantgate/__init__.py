"""The authentication gate in front of multi-tenant APIs: everything that functions, container and command share."""

__version__ = "0.1.0"
