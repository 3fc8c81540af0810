"""Values of AWS that the emulation makes up or shares between its parts."""

from __future__ import annotations

import secrets
import time

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
# Bytes: Lambda's limit for a function's event, and for its response.
MAX_LAMBDA_PAYLOAD = 6 * 1024 * 1024


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"


def new_trace_id() -> str:
    """Return an X-Ray trace header for a request that isn't sampled."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"
