"""The verification of logs: whether anything was changed, removed, added late or cut off since it was sealed."""
