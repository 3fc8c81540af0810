"""The documents that are written from code: one module each, and the command that writes or compares them all."""
