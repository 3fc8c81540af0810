"""The transparency log of each tenant's audit events: a Merkle tree (RFC 6962) with signed checkpoints (C2SP)."""
