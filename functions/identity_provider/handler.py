"""Lambda adapter."""

from functions.identity_provider.routes import router
from tenantgate.web.lambda_adapter import lambda_handler_for

lambda_handler = lambda_handler_for(router)
