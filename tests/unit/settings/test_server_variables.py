"""The variables of the server process in a container: none contains the owner's password."""

from __future__ import annotations

import pytest

from tenantgate.settings.server_variables import server_variables

OWNER = "postgresql://owner:p%40ss%2fw0rd@db.example.test/name"
OWN = "postgresql://tenantgate_name_1:derived@db.example.test/name"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("DATABASE_OWNER_URL", OWNER, id="the-owners-url"),
        pytest.param("DATABASE_PRIVATE_URL", OWNER, id="another-url"),
        pytest.param("POSTGRES_URL", "postgres://owner:p%40ss%2Fw0rd@10.0.0.1/name", id="otherwise-encoded"),
        pytest.param("POSTGRES_URL", "postgres://owner:p@ss/w0rd@10.0.0.1/name", id="not-encoded"),
        pytest.param("PGPASSWORD", "p@ss/w0rd", id="plain"),
        pytest.param("POSTGRES_PASS", "p@ss/w0rd", id="plain-pass"),
        pytest.param("DB_PWD", "p%40ss%2fw0rd", id="plain-encoded"),
        pytest.param("JDBC_URL", "jdbc:postgresql://db/name?user=owner&password=p%40ss%2Fw0rd", id="query"),
        pytest.param("PGDSN", "host=db password='p@ss/w0rd' dbname=name", id="connection-string"),
        pytest.param("ConnectionStrings__Default", "Host=db;Username=owner;Password=p@ss/w0rd", id="ado-net"),
        pytest.param("ConnectionStrings__Default", "Host=db;Pwd = p@ss/w0rd;Database=name", id="ado-net-short"),
    ],
)
def test_a_variable_with_the_owners_password_is_left_out(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert name not in server_variables(OWN, OWNER)


def test_others_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = "postgresql://postgres:postgres@db.example.test/postgres"
    kept = {
        "PGUSER": "postgres",
        "PGDATABASE": "postgres",
        "OIDC_CLIENT_SECRET": "another",
        "OTHER_DATABASE_URL": "postgresql://postgres:postgres2@db.example.test/postgres",
        "OTHER_DSN": "host=db password=postgres2",
    }
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    variables = server_variables(OWN, owner)
    assert kept.items() <= variables.items()
    assert variables["DATABASE_URL"] == OWN


def test_an_owner_without_a_password_takes_no_other_variable_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY_PASSWORD", "")
    assert "EMPTY_PASSWORD" in server_variables(OWN, "postgresql://owner@db.example.test/name")
