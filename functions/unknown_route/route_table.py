"""The paths of template.yaml with their methods. Written by `make docs`."""

ROUTES: dict[str, tuple[str, ...]] = {
    "/": ("GET",),
    "/api/v1/audit/events": ("GET",),
    "/api/v1/auth/backchannel-logout": ("POST",),
    "/api/v1/auth/callback": ("GET", "POST"),
    "/api/v1/auth/login": ("GET",),
    "/api/v1/auth/logout": ("POST",),
    "/api/v1/auth/me": ("GET",),
    "/api/v1/auth/refresh": ("POST",),
    "/api/v1/auth/sessions": ("DELETE", "GET"),
    "/api/v1/auth/sessions/{session_id}": ("DELETE",),
    "/api/v1/auth/validate": ("GET",),
    "/api/v1/health/live": ("GET",),
    "/api/v1/health/ready": ("GET",),
    "/api/v1/privacy/exports": ("POST",),
    "/api/v1/privacy/me": ("DELETE",),
    "/api/v1/security-events": ("POST",),
}
