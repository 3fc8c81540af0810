"""Orders of the caller's tenant. API Gateway identifies the caller, so this code reads and verifies no token."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

type Event = dict[str, Any]
type Response = dict[str, Any]

ORDERS = {"7": "three apples", "8": "a ladder"}


class Caller(NamedTuple):
    user_id: str
    tenant_id: str
    scopes: frozenset[str]


def caller_of(event: Event) -> Caller:
    """Read the caller from the authorizer's context, which no client can forge.

    A REST API passes it on flat, with all values as strings; an HTTP API passes it unchanged under `lambda`.
    """
    authorizer = event["requestContext"]["authorizer"]
    context = authorizer.get("lambda", authorizer)
    return Caller(context["user_id"], context["tenant_id"], frozenset(context["scopes"].split()))


def lambda_handler(event: Event, _context: object) -> Response:
    match route_of(event):
        case "GET /status":
            return response(200, {"status": "ok"})
        case "GET /orders":
            return response(200, {"orders": list(ORDERS), **seen_by(event)})
        case "GET /orders/{id}":
            order = ORDERS.get(event["pathParameters"]["id"])
            return response(200 if order else 404, {"order": order, **seen_by(event)})
        case "POST /orders":
            return response(201, seen_by(event))
        case route:
            return response(404, {"message": f"no such route: {route}"})


def route_of(event: Event) -> str:
    """Return the route: an HTTP API's route key, or a REST API's method and resource."""
    return event["routeKey"] if "routeKey" in event else f"{event['httpMethod']} {event['resource']}"


def seen_by(event: Event) -> dict[str, object]:
    caller = caller_of(event)
    return {"tenant_id": caller.tenant_id, "user_id": caller.user_id, "scopes": sorted(caller.scopes)}


def response(status: int, body: object) -> Response:
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
