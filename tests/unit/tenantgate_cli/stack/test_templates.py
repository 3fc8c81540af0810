"""The product's template on this machine."""

from pathlib import Path

from tenantgate_cli.paths import TEMPLATE
from tenantgate_cli.stack.templates import read_product_template
from tests.fixtures.gateway.project import HEAD, function_resource, write_project

NOTHING = "def lambda_handler(event, context): pass"
REQUIRED = {"ENVIRONMENT": "production", "ALLOWED_ORIGINS": "https://app.example.com"}


def test_only_functions_with_the_secrets_id_get_the_secrets(tmp_path: Path) -> None:
    reads = "Environment: { Variables: { AWS_SECRETS_MANAGER_SECRET_ID: arn } }\n"
    template = HEAD + function_resource("Reads", "reads", reads) + function_resource("Other", "other")
    path = write_project(tmp_path, template, {"reads": NOTHING, "other": NOTHING})
    functions = read_product_template(path, {}, {"OIDC_CLIENT_SECRET": "s"}).functions
    assert functions["Reads"].env["OIDC_CLIENT_SECRET"] == "s"
    assert functions["Other"].env == {}


def test_exports_have_the_name_of_the_deployed_stack() -> None:
    assert "tenantgate-AuthorizerArn" in read_product_template(TEMPLATE, REQUIRED).exports
