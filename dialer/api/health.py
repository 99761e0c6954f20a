"""/healthz: the process answers. /readyz: every part that must be there is."""

from fastapi import Request, Response

from dialer.api.answers import ApiError, answer, success
from dialer.api.deps import deps_of


async def show_health(request: Request) -> Response:
    """Always 200 while the process can answer at all."""
    return answer(success("Alive", {}))


async def show_readiness(request: Request) -> Response:
    """200 when all parts are ready, else 503 that names those which are not."""
    parts = deps_of(request).readiness()
    missing = [name for name, ready in parts.items() if not ready]
    if missing:
        raise ApiError(503, "Not ready", ", ".join(missing), headers={"Retry-After": "1"})
    return answer(success("Ready", parts))
