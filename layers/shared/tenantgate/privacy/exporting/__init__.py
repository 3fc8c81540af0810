"""The export: what is held about a person, in pages."""
