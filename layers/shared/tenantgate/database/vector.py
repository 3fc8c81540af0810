"""pgvector: created if the server offers it and the owner may create it. It is optional."""

from __future__ import annotations

# Hosting platforms reject an extension in different ways (no privilege, no allow-list entry, a control file without its
# library): none of them may stop a start. The readiness check reports the result.
CREATE_WHERE_AVAILABLE = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'vector') THEN
        CREATE EXTENSION IF NOT EXISTS vector;
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'vector is not created: %', SQLERRM;
END $$
"""

# Don't drop an extension that another role created or an application's tables use.
DROP_WHERE_POSSIBLE = """
DO $$
BEGIN
    DROP EXTENSION IF EXISTS vector;
EXCEPTION WHEN insufficient_privilege OR dependent_objects_still_exist THEN
    RAISE NOTICE 'vector stays: %', SQLERRM;
END $$
"""

IS_PRESENT = "EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'vector')"
