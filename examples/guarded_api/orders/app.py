"""Orders of the caller's tenant. Who the caller is, API Gateway tells: no token is read here, none is verified."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

type Event = dict[str, Any]
type Answer = dict[str, Any]

ORDERS = {"7": "three apples", "8": "a ladder"}


class Caller(NamedTuple):
    user_id: str
    tenant_id: str
    scopes: frozenset[str]


def caller_of(event: Event) -> Caller:
    """From the authorizer's context, which no client can forge.

    A REST API hands it on flat and all as text; an HTTP API under `lambda`, as it was.
    """
    authorizer = event["requestContext"]["authorizer"]
    context = authorizer.get("lambda", authorizer)
    return Caller(context["user_id"], context["tenant_id"], frozenset(context["scopes"].split()))


def lambda_handler(event: Event, _context: object) -> Answer:
    match route_of(event):
        case "GET /status":
            return answer(200, {"status": "ok"})
        case "GET /orders":
            return answer(200, {"orders": list(ORDERS), **seen_by(event)})
        case "GET /orders/{id}":
            order = ORDERS.get(event["pathParameters"]["id"])
            return answer(200 if order else 404, {"order": order, **seen_by(event)})
        case "POST /orders":
            return answer(201, seen_by(event))
        case route:
            return answer(404, {"message": f"no such route: {route}"})


def route_of(event: Event) -> str:
    """An HTTP API names the route; of a REST API's event it is method and resource."""
    return event["routeKey"] if "routeKey" in event else f"{event['httpMethod']} {event['resource']}"


def seen_by(event: Event) -> dict[str, object]:
    caller = caller_of(event)
    return {"tenant_id": caller.tenant_id, "user_id": caller.user_id, "scopes": sorted(caller.scopes)}


def answer(status: int, body: object) -> Answer:
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
