"""`ShowPages`: for a route that people open in a browser, failures are pages when the browser asks for HTML."""

from __future__ import annotations

from fastapi import Depends, Request

# Set in a request's scope: this route's errors are pages when a browser asks.
PAGES_KEY = "tenantgate.pages"


async def show_pages(request: Request) -> None:
    """Mark the request; the errors layer does the rest, whatever fails afterwards, validation included."""
    request.scope[PAGES_KEY] = True


ShowPages = Depends(show_pages)
