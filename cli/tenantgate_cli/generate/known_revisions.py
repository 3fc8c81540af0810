"""Write `tenantgate/database/known_revisions.py`: the migrations, for code that is deployed without `migrations/`."""

from __future__ import annotations

from tenantgate.database.migrator import revisions

_HEAD = '''\
"""The revisions of migrations/, oldest first. Written by `make docs`."""

KNOWN_REVISIONS = (
'''


def known_revisions_module() -> str:
    """Return the module's source."""
    return _HEAD + "".join(f'    "{revision}",\n' for revision in revisions()) + ")\n"
