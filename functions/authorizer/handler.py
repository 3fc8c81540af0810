"""Lambda adapter of the authorizer. A web framework, an event loop or the AWS SDK would slow its cold start."""

from __future__ import annotations

from tenantgate.cold_start import collector
from tenantgate.cold_start.late_typing import use_late_typing

# Before the other imports, which these two make faster.
collector.pause()
use_late_typing()

from typing import TYPE_CHECKING  # noqa: E402

from tenantgate.authorizer.environment import (  # noqa: E402
    cookie_caller,
    credentials,
    late_valkey,
    route_rules,
    trace_id,
)
from tenantgate.authorizer.late_logging import LateLogging  # noqa: E402
from tenantgate.authorizer.service import Authorizer  # noqa: E402
from tenantgate.context import end_request  # noqa: E402

if TYPE_CHECKING:
    from typing import Protocol

    from tenantgate.authorizer.responses import AuthorizerResponse

    class LambdaContext(Protocol):
        @property
        def aws_request_id(self) -> str: ...


_logging = LateLogging()
_logging.install()
_valkey = late_valkey()
_authorizer = Authorizer(
    credentials(valkey=_valkey),
    route_rules(__file__.rpartition("/")[0] + "/rules.toml"),
    cookie_caller=cookie_caller(valkey=_valkey),
)
collector.resume(enabled=True)


def lambda_handler(event: object, context: LambdaContext) -> AuthorizerResponse:
    """Respond to an authorizer's event of any integration."""
    _logging.begin(context.aws_request_id, trace_id())
    try:
        return _authorizer.decide(event, function_request_id=context.aws_request_id)
    finally:
        end_request()
