"""The AWS account: reachable, and with room for this deployment."""

from __future__ import annotations

from typing import Any

from tenantgate.aws.failures import failure_name
from tenantgate_cli.doctor.template.bundles import zipped_size
from tenantgate_cli.doctor.template.deployment import LAYER, Deployment
from tenantgate_cli.outcomes import Finding, failed, ok, warning

_CONNECT_SECONDS, _READ_SECONDS = 3, 6
# Lambda keeps these unreserved.
_UNRESERVED = 100
_RESERVING = ("AuthorizerConcurrency", "WebConcurrency")
LOGIN_FIX = "aws configure sso, or set AWS_PROFILE and AWS_REGION"


def account(of: Deployment) -> Finding:
    """Ask AWS for the account of these credentials."""
    try:
        client = aws_client("sts", of)
        identity = client.get_caller_identity()
    except Exception as error:  # noqa: BLE001  (boto3's errors have no common base)
        return of.unavailable(f"AWS doesn't respond: {failure_name(error)}", LOGIN_FIX)
    return ok(f"account {identity['Account']}, region {client.meta.region_name}")


def quotas(of: Deployment) -> Finding:
    """Compare Lambda's concurrency and code storage with the needs of this deployment."""
    try:
        settings = aws_client("lambda", of).get_account_settings()
        limits, usage = settings["AccountLimit"], settings["AccountUsage"]
    except Exception as error:  # noqa: BLE001  (as above)
        return of.unavailable(f"Lambda's quotas can't be read: {failure_name(error)}", LOGIN_FIX)
    concurrency, total = int(limits["ConcurrentExecutions"]), int(limits["TotalCodeSize"])
    free = total - int(usage["TotalCodeSize"])
    found = f"{concurrency} concurrent executions, {free / 1e9:.1f} GB of {total / 1e9:.0f} GB for code"
    reserved = _reserved(of)
    if reserved and concurrency - reserved < _UNRESERVED:
        fix = "lower AuthorizerConcurrency or WebConcurrency, or request a higher quota (L-B99A9384)"
        return failed(f"{found}; {reserved} would be reserved, and {_UNRESERVED} must remain", fix)
    needed = zipped_size(of.build / LAYER) if of.build is not None and (of.build / LAYER).is_dir() else 0
    if free < needed:
        fix = f"tenantgate versions prune --stack-name {of.stack}, and delete old layers"
        return failed(f"{found}: too little for the layer", fix)
    if concurrency < _UNRESERVED:
        return warning(f"{found}: a new account's limit", "request a higher quota of Lambda (L-B99A9384)")
    return ok(found)


def _reserved(of: Deployment) -> int:
    numbers = {name: int(value) for name in _RESERVING if (value := of.values.get(name, "")).isdigit()}
    guarded = sum(bool(properties.get("Events")) for properties in of.functions.values())
    return numbers.get("AuthorizerConcurrency", 0) + guarded * numbers.get("WebConcurrency", 0)


def aws_client(service: str, of: Deployment) -> Any:
    """Return boto3's client with short limits. Raises boto3's errors, such as for a missing region."""
    import boto3  # noqa: PLC0415  (slow to import)
    from botocore.config import Config  # noqa: PLC0415

    limits = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, retries={"total_max_attempts": 2})
    return boto3.client(service, region_name=of.region, config=limits)
