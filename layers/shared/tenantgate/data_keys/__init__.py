"""Data keys: made, wrapped, stored, cached for at most 60 seconds, rotated and destroyed."""
