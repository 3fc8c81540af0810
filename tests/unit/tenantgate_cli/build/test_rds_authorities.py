"""The command takes only roots of regions from a bundle, and reports each change."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tenantgate_cli.build import rds_authorities
from tenantgate_cli.build.rds_authorities import authorities, main

NOW = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
NAME = "Amazon RDS eu-central-1 Root CA ECC384 G1"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(
    name: str = NAME,
    *,
    issuer: str | None = None,
    key: ec.EllipticCurvePrivateKey = KEY,
    ca: bool = True,
    days: int = 9,
) -> str:
    def called(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    return (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called(issuer or name))
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW - dt.timedelta(days=30))
        .not_valid_after(NOW + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
        .decode()
    )


def test_a_region_s_root_is_taken() -> None:
    text = certificate()
    assert authorities([f"before\n{text}after"], now=NOW) == {NAME: text}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(certificate("Amazon RDS Preview us-east-2 Root CA RSA2048 G1"), id="preview"),
        pytest.param(certificate("Amazon Root CA 1"), id="another-authority"),
        pytest.param(certificate(NAME + "\n-----BEGIN"), id="more-than-a-name"),
        pytest.param(certificate(days=-1), id="expired"),
        pytest.param(certificate(ca=False), id="not-an-authority"),
        pytest.param(certificate(key=OTHER_KEY), id="signed-by-another-key"),
        pytest.param(certificate(issuer="Amazon RDS Root"), id="intermediate"),
        pytest.param("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", id="damaged"),
        pytest.param("", id="empty"),
    ],
)
def test_anything_else_is_left_out(text: str) -> None:
    assert authorities([text], now=NOW) == {}


def test_the_command_reports_what_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rds_authorities, "SHIPPED", tmp_path / "shipped.pem")
    bundle = tmp_path / "bundle.pem"
    days = 365 * 100
    bundle.write_text(certificate(days=days))

    assert main([str(bundle)]) == 0
    assert f"added: {NAME}" in capsys.readouterr().out
    assert main([str(bundle)]) == 0
    assert NAME not in capsys.readouterr().out
    bundle.write_text(certificate("Amazon RDS eu-west-1 Root CA ECC384 G1", days=days))
    assert main([str(bundle)]) == 0
    assert f"removed: {NAME}" in capsys.readouterr().out
    assert main([]) == 2
