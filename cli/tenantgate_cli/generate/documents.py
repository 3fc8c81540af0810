"""The list of the generated documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tenantgate_cli.generate.architecture import architecture_page
from tenantgate_cli.generate.audit_events import audit_page
from tenantgate_cli.generate.authorizer import authorizer_page
from tenantgate_cli.generate.cache import cache_page
from tenantgate_cli.generate.configuration import configuration_page, env_example
from tenantgate_cli.generate.error_codes import error_codes_page
from tenantgate_cli.generate.known_revisions import known_revisions_module
from tenantgate_cli.generate.openapi import development_openapi_document, openapi_document
from tenantgate_cli.generate.personal_data import security_page
from tenantgate_cli.generate.providers import auth_configuration_page, readme
from tenantgate_cli.generate.railway import railway_page
from tenantgate_cli.generate.route_table import route_table_module
from tenantgate_cli.generate.security_events import operations_page
from tenantgate_cli.generate.time_limits import reliability_page

DOCUMENTS: Mapping[str, Callable[[], str]] = {
    "README.md": readme,
    "docs/API_ARCHITECTURE.md": architecture_page,
    "docs/AUDIT.md": audit_page,
    "docs/AUTH_CONFIGURATION.md": auth_configuration_page,
    "docs/AUTHORIZER.md": authorizer_page,
    "docs/CACHE.md": cache_page,
    "docs/OPERATIONS.md": operations_page,
    "docs/RELIABILITY.md": reliability_page,
    "docs/ERROR_CODES.md": error_codes_page,
    "docs/CONFIGURATION.md": configuration_page,
    "docs/SECURITY.md": security_page,
    "docs/RAILWAY_ENV.md": railway_page,
    ".env.example": env_example,
    "docs/openapi.json": openapi_document,
    "docs/openapi-development.json": development_openapi_document,
    "functions/unknown_route/route_table.py": route_table_module,
    "layers/shared/tenantgate/database/known_revisions.py": known_revisions_module,
}


def stale_documents(root: Path) -> dict[str, str]:
    """Return the right text of each document whose file below `root` differs from it."""
    texts = {name: write() for name, write in DOCUMENTS.items()}
    return {name: text for name, text in texts.items() if _read(root / name) != text}


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
