"""Choose the authorities of RDS that the layer ships: `python -m tenantgate_cli.build.rds_authorities FILE…`

Each FILE has certificates in PEM form, such as AWS's bundle for all regions:

    curl --output global-bundle.pem https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
    python -m tenantgate_cli.build.rds_authorities global-bundle.pem

Of these, the roots of regions are written to `tenantgate/database/rds_authorities.pem`, by region. The command prints
those that are added and removed, to be compared with AWS's announcements before a commit.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from tenantgate_cli.paths import LAYER

SHIPPED = LAYER / "tenantgate" / "database" / "rds_authorities.pem"
# `Preview` and `Beta` between them belong to test regions of AWS.
_NAME = re.compile(r"Amazon RDS (?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d) Root CA (?:RSA2048|RSA4096|ECC384) G\d")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_HEAD = """\
The authorities of Amazon RDS and Aurora, by region. `database/rds_authorities.py` reads the lines of a region.
Written by `python -m tenantgate_cli.build.rds_authorities`.
"""


def authorities(texts: Iterable[str], *, now: dt.datetime | None = None) -> dict[str, str]:
    """Return the roots of regions among the certificates in `texts`: PEM by the certificate's name, sorted.

    Left out are other certificates, expired ones, and those that aren't signed by their own key.
    """
    moment = now or dt.datetime.now(dt.UTC)
    found: dict[str, str] = {}
    for text in texts:
        for pem in _PEM.findall(text):
            certificate = _root(pem)
            if certificate is not None and certificate.not_valid_after_utc > moment:
                found[_name(certificate)] = certificate.public_bytes(Encoding.PEM).decode()
    return dict(sorted(found.items()))


def written(found: dict[str, str]) -> str:
    """Return the file's text: each certificate below its name."""
    return _HEAD + "".join(f"\n{name}\n{pem}" for name, pem in found.items())


def _root(pem: str) -> x509.Certificate | None:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        certificate.verify_directly_issued_by(certificate)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return None
    return certificate if constraints.ca and _NAME.fullmatch(_name(certificate)) else None


def _name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def main(files: list[str]) -> int:
    """Write the file, and print what changed."""
    if not files:
        print(__doc__)
        return 2
    before = authorities([SHIPPED.read_text()]) if SHIPPED.exists() else {}
    found = authorities(Path(file).read_text() for file in files)
    SHIPPED.write_text(written(found))
    for name in sorted(before.keys() | found.keys()):
        if before.get(name) != found.get(name):
            change = "removed" if name not in found else "changed" if name in before else "added"
            print(f"{change}: {name}")
    print(f"{len(found)} authorities in {SHIPPED}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
