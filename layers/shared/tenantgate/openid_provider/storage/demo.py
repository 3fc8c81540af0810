"""The demo users of this checkout. Nothing here is a secret.

Standard library only: the command line shows these values when the stack is ready. Importing raises `PersonasError` if
`personas.toml` can't be used.
"""

from __future__ import annotations

from typing import Final

from tenantgate.openid_provider.storage.personas import PERSONAS_FILE, parse_personas

DEMO_PASSWORD, PERSONAS = parse_personas(PERSONAS_FILE.read_text(encoding="utf-8"))
DEMO_USER: Final = PERSONAS[0]
DEMO_USERNAME: Final = DEMO_USER.email
DEMO_USER_ID: Final = DEMO_USER.id
DEMO_TENANT_ID: Final = DEMO_USER.tenant_id
DEMO_CLAIMS: Final = DEMO_USER.claims
