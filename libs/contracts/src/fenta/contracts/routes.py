"""Which service answers which public path: the gateway forwards by the longest prefix."""

PREFIXES: dict[str, str] = {
    "/v1/auth": "gateway",
    "/v1/me": "gateway",
    "/v1/orgs": "gateway",
    "/v1/access-tokens": "gateway",
    "/v1/assets": "gateway",
    "/v1/jobs": "workflow",
    "/v1/video": "workflow",
    "/v1/workflows": "workflow",
    "/v1/node-types": "workflow",
    "/v1/models": "generation",
    "/v1/voices": "generation",
    "/v1/renders": "render",
    "/v1/templates": "render",
    "/v1/tokens": "billing",
    "/v1/usage": "billing",
    "/v1/billing": "billing",
    "/v1/webhooks": "notifier",
}


def owner_of(path: str) -> str | None:
    """The service that owns a path, or None. A prefix ends at a slash: `/v1/jobsx` belongs to nobody."""
    fitting = [prefix for prefix in PREFIXES if path == prefix or path.startswith(f"{prefix}/")]
    return PREFIXES[max(fitting, key=len)] if fitting else None
