"""Personal data: what is held about a user, its export, and its erasure (GDPR 15, 17 and 20)."""
