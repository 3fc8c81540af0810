"""Read a SAM template."""
