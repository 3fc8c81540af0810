"""The gateway is a package for any team: it knows nothing of this product. import-linter checks its imports."""

import re
from pathlib import Path

import pytest

import lambda_gateway

FOLDER = Path(lambda_gateway.__file__).parent
PRODUCT = re.compile(
    r"tenantgate|tenant|oidc_|openid_provider|route.rules|rules\.toml|AWS_SECRETS_MANAGER", re.IGNORECASE
)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_module_names_the_product(path: Path) -> None:
    assert PRODUCT.findall(path.read_text("utf-8")) == []
