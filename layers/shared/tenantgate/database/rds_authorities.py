"""The certificate authorities of RDS, which no operating system has.

RDS Proxy is different: its certificates come from Amazon's public authorities, which every system has.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.howitworks.html (TLS)
"""

from __future__ import annotations

from pathlib import Path

from tenantgate.aws.rds import rds_region

_FILE = Path(__file__).with_name("rds_authorities.pem")


def rds_authorities(host: str | None) -> str | None:
    """Return the authorities of an endpoint's region, in PEM form; None for a proxy and for any other host.

    Also None for a region that the file doesn't have. Then the system's authorities count, and a connection fails
    unless `sslrootcert` names the region's.
    """
    region = rds_region(host)
    if host is None or region is None or ".proxy-" in host.lower():
        return None
    # Blocks of a name and its certificate, with an empty line between them.
    blocks = _FILE.read_text(encoding="ascii").split("\n\n")
    return "\n".join(block for block in blocks if block.startswith(f"Amazon RDS {region} Root CA ")) or None
