"""The demo user of the built-in provider. Nothing here is a secret: the provider runs only in development.

Standard library only: the command line shows these values when the stack is ready.
"""

from __future__ import annotations

from typing import Final

DEMO_USERNAME: Final = "demo@example.test"
DEMO_PASSWORD: Final = "correct horse battery staple"  # noqa: S105  (published; `users.py` refuses it outside development)
DEMO_USER_ID: Final = "6f0a4b86-55e5-4f5c-9a0e-2f7f0d4f6c11"
DEMO_TENANT_ID: Final = "org-3d5b1c86-0c57-4b1a-9d0e-5a3f6e2b7c90"
DEMO_CLAIMS: Final[dict[str, object]] = {
    "name": "Demo User",
    "given_name": "Demo",
    "family_name": "User",
    "preferred_username": DEMO_USERNAME,
    "locale": "en",
    "zoneinfo": "Etc/UTC",
    "email": DEMO_USERNAME,
    "email_verified": True,
    "phone_number": "+15550100",
    "phone_number_verified": False,
    "address": {"formatted": "1 Example Street, Exampleville", "locality": "Exampleville"},
}
