"""The documents that are written from code, one module each."""
