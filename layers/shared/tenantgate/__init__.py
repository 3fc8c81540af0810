"""The authentication gate in front of multi-tenant APIs: everything that functions, container and command share."""

__version__ = "0.1.0"

from tenantgate.cold_start.image import use_image

# Here, since it must come before every other import.
use_image()
