"""WebSocket APIs: connections, their messages, and the API by which functions send to them."""
