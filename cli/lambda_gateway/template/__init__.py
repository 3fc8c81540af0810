"""Read SAM templates."""
