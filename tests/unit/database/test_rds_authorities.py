"""The authorities of RDS that are shipped: complete for a region, roots, and of this region only."""

from __future__ import annotations

import datetime as dt
import ssl

import pytest
from cryptography import x509

from tenantgate.database.rds_authorities import rds_authorities
from tenantgate.database.tls import verified_tls
from tenantgate_cli.build.rds_authorities import SHIPPED, authorities, written

ENDPOINT = "tenantgate.cluster-c1a2b3d4e5f6.eu-central-1.rds.amazonaws.com"
PROXY = "tenantgate.proxy-c1a2b3d4e5f6.eu-central-1.rds.amazonaws.com"
# Those that most deployments use. AWS has signed the certificates of new databases with these keys since 2024.
REGIONS = (
    *("af-south-1", "ap-east-1", "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1"),
    *("ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-west-1", "eu-west-2", "eu-west-3"),
    *("il-central-1", "me-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"),
)


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_has_the_roots_of_its_three_kinds_of_keys(region: str) -> None:
    text = rds_authorities(f"db.c1a2.{region}.rds.amazonaws.com")
    assert text is not None

    roots = x509.load_pem_x509_certificates(text.encode())

    kinds = {root.subject.rfc4514_string() for root in roots}
    assert len(roots) == len(kinds) == 3
    assert all(f"Amazon RDS {region} Root CA " in kind for kind in kinds)
    assert min(root.not_valid_after_utc for root in roots) > dt.datetime(2060, 1, 1, tzinfo=dt.UTC)


def test_the_command_would_write_the_same_file_again() -> None:
    text = SHIPPED.read_text()
    found = authorities([text])

    assert written(found) == text
    assert len(found) >= 3 * len(REGIONS)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param(PROXY, id="proxy"),
        pytest.param("db.example.com", id="another-host"),
        pytest.param("db.c1a2.xx-nowhere-1.rds.amazonaws.com", id="unknown-region"),
        pytest.param("db.c1a2.us-gov-west-1.rds.amazonaws.com", id="region-with-its-own-bundle"),
        pytest.param(ENDPOINT + ".evil.example", id="endpoint-as-prefix"),
        pytest.param(None, id="no-host"),
    ],
)
def test_other_hosts_have_the_systems_authorities(host: str | None) -> None:
    assert rds_authorities(host) is None


def trusted(query: str, *, host: str = ENDPOINT) -> set[str]:
    context = verified_tls(f"postgresql://app@{host}/name?{query}")
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    return {str(root["subject"]) for root in context.get_ca_certs()}


def test_a_database_of_rds_is_verified_by_its_regions_authorities_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    of_rds = trusted("sslmode=verify-full")

    assert len(of_rds) == 3
    assert all("'Amazon RDS eu-central-1 Root CA " in name for name in of_rds)
    assert not of_rds & trusted("sslmode=verify-full&sslrootcert=system")
    assert not of_rds & trusted("sslmode=verify-full", host=PROXY)


def test_a_named_file_replaces_the_shipped_authorities(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    other = f"{tmp_path}/other.pem"
    with open(other, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(rds_authorities("db.c1a2.us-east-1.rds.amazonaws.com") or "")

    by_url = trusted(f"sslmode=verify-full&sslrootcert={other}")
    monkeypatch.setenv("PGSSLROOTCERT", other)

    assert by_url == trusted("sslmode=verify-full")
    assert all("'Amazon RDS us-east-1 " in name for name in by_url)
