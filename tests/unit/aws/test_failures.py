"""The name of an error of boto3."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, NoRegionError

from tenantgate.aws.failures import failure_name


@pytest.mark.parametrize(
    ("error", "name"),
    [
        pytest.param(
            ClientError({"Error": {"Code": "AccessDeniedException"}}, "Op"), "AccessDeniedException", id="code"
        ),
        pytest.param(ClientError({"Error": {"Code": "a\nb"}}, "Op"), "ClientError", id="a-code-with-a-line-break"),
        pytest.param(ClientError({"Error": {}}, "Op"), "ClientError", id="no-code"),
        pytest.param(NoRegionError(), "NoRegionError", id="no-response"),
        pytest.param(KeyError("secret"), "KeyError", id="another-error"),
    ],
)
def test_the_code_or_the_class_and_never_the_text(error: Exception, name: str) -> None:
    assert failure_name(error) == name
