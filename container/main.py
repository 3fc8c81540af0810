"""The ASGI application, `container.main:app`."""

from container.app import container_app

app = container_app()
