"""Select the route of a message.

https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html
"""

from __future__ import annotations

import json

from lambda_gateway.model import DEFAULT_ROUTE, Api, Route


class MessageRouter:
    """The routes of a WebSocket API by their keys."""

    def __init__(self, api: Api) -> None:
        self._routes = {route.method: route for route in api.routes}
        self._selection = api.selection

    def named(self, key: str) -> Route | None:
        """Return the route with this key."""
        return self._routes.get(key)

    def find(self, text: str) -> Route | None:
        """Return the route of a message: the one that it names, otherwise $default; None if neither exists.

        A message can't select `$connect` or `$disconnect`: it would forge the beginning or the end of a connection.
        """
        key = self._key(text)
        if key is not None and not key.startswith("$") and key in self._routes:
            return self._routes[key]
        return self._routes.get(DEFAULT_ROUTE)

    def _key(self, text: str) -> str | None:
        try:
            value: object = json.loads(text)
        except (ValueError, RecursionError):
            return None
        for member in self._selection:
            value = value.get(member) if isinstance(value, dict) else None
        return value if isinstance(value, str) else None
