"""The login with which migrations change the schema."""

from __future__ import annotations

import json

from tenantgate.aws.failures import failure_name
from tenantgate.aws.secrets_manager import secrets_client
from tenantgate.database.connection import Connection
from tenantgate.database.owner_login import with_login
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.doctor.database import UNSAFE_FIX, on_database
from tenantgate_cli.outcomes import Finding, failed, ok, skipped


def owner(of: Configuration) -> Finding:
    """Check that the migrations' login may change the schema, and isn't the application's."""
    settings = of.settings
    url = settings.database_owner_url
    if url is None:
        return skipped("DATABASE_OWNER_URL is not set: migrations run elsewhere")
    if settings.database_owner_secret_id is not None:
        try:
            url = _with_secret(url, settings.database_owner_secret_id, settings.aws_region)
        except Exception as error:  # noqa: BLE001  (boto3's errors have no common base, and JSON's repeat the secret)
            fix = "allow secretsmanager:GetSecretValue; the secret has username and password"
            return failed(f"DATABASE_OWNER_SECRET_ID can't be used: {failure_name(error)}", fix)
    elif url == settings.database_url:
        return failed("DATABASE_OWNER_URL is DATABASE_URL: the application owns its tables", UNSAFE_FIX)

    async def work(connection: Connection) -> Finding:
        name = await connection.fetchval("SELECT current_user")
        if not await connection.fetchval("SELECT has_schema_privilege('public', 'CREATE')"):
            return failed(f"{name} may not create tables in its schema", f"GRANT CREATE ON SCHEMA public TO {name}")
        return ok(f"{name} may change the schema")

    return on_database(url, work)


def _with_secret(url: str, secret_id: str, region: str | None) -> str:
    members = json.loads(secrets_client(region).get_secret_value(SecretId=secret_id)["SecretString"])
    return with_login(url, members["username"], members["password"])
