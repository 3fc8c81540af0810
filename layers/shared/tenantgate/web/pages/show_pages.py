"""`ShowPages`, for routes that people open in a browser: their errors are pages when the browser asks for HTML."""

from __future__ import annotations

from fastapi import Depends, Request

# Set in a request's scope: this route's errors are pages when a browser asks.
PAGES_KEY = "tenantgate.pages"


async def show_pages(request: Request) -> None:
    """Mark the request, so that `ErrorRendering` shows any later error as a page, including a validation error."""
    request.scope[PAGES_KEY] = True


ShowPages = Depends(show_pages)
