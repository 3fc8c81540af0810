"""Lambda adapter."""

from tenantgate.web.lambda_adapter import lambda_handler_for

lambda_handler = lambda_handler_for(__package__)
