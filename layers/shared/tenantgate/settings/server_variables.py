"""The environment of a server that the container starts: without the database owner's password."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit


def server_variables(application_url: str, owner_url: str) -> dict[str, str]:
    """Return this process's environment for a server that may know only the application's login.

    Leaves out `DATABASE_OWNER_URL` and every other variable with the owner's password: hosting platforms repeat it
    (`PGPASSWORD`, `DATABASE_PRIVATE_URL`), and an attacker in the server must not find it.
    """
    password = unquote(urlsplit(owner_url).password or "")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_OWNER_URL" and not (password and _holds(name, value, password))
    }
    return kept | {"DATABASE_URL": application_url}


def _holds(name: str, value: str, password: str) -> bool:
    """Tell whether the variable is this password, or a URL or connection string that contains it.

    Other values may equal a short password by chance: `PGUSER=postgres`.
    """
    plain = unquote(value)
    if password in (value, plain):
        return any(word in name.upper() for word in ("PASS", "PWD", "SECRET"))
    return f":{password}@" in plain or bool(
        re.search(rf"""(?:password|pwd)\s*=\s*['"]?{re.escape(password)}(?![^\s'";&])""", plain, re.IGNORECASE)
    )
