"""The application: routes, failures as JSON, documentation without another machine, health and metrics."""

# No postponed annotations here: FastAPI reads them when a route is added.

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from mcp.server.transport_security import TransportSecuritySettings
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from swagger_ui_bundle import swagger_ui_path

from agent import Agent, Busy
from agent.freed import share_arenas
from agent.llm.named import is_loopback
from imaging.failures import BadArguments, FilmRefused, HilumFailure, NotApplicable, Unavailable
from imaging.limits import MAX_FILE_BYTES
from ui.server.callers import Callers, read_tokens
from ui.server.conversations import Conversations
from ui.server.mcp import Conversing, make_server
from ui.server.routes import routes
from ui.sites import LOOPBACK_NAMES, Guarded

STATUS = {Busy: 409, BadArguments: 422, NotApplicable: 422, FilmRefused: 415, Unavailable: 503}
"""HTTP status of each family of failures; anything else is our bug and a 500."""
PER_MINUTE = 600
"""Requests of one caller in a minute."""
UPLOAD_MOST = 2 * MAX_FILE_BYTES
"""Bytes of one request."""
ROUTES = "/v1"
"""Paths that need a known caller. FastAPI reads a body before it asks who calls: none of a stranger's is to be kept."""
NAMES_CHECKED_ALREADY = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""Host names are checked for every route alike, so that MCP's own check would only differ from it."""
ABOUT = (
    "Answers questions about chest radiographs; every statement cites the tool evidence it rests on. "
    "Research software, not a medical device: every answer is a draft for a qualified reader."
)


def create(agent: Agent, tokens: str = "", hosts: list[str] | None = None, per_minute: int = PER_MINUTE) -> FastAPI:
    """The application.

    Args:
        agent: answers; its memory keeps the sessions.
        tokens: "user:token,user:token"; none: callers of this machine, without one.
        hosts: host names it answers to; those of this machine when left out.
        per_minute: requests of one caller in a minute.
    """
    callers = Callers(read_tokens(tokens), per_minute)
    conversing = Conversing(agent)
    mcp = Guarded(None, callers.of_headers)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        # Made anew at each start: what manages MCP's connections runs once.
        protocol = make_server(conversing, callers.of_headers)
        mcp.app = protocol.streamable_http_app(
            streamable_http_path="/", max_request_body_size=UPLOAD_MOST, transport_security=NAMES_CHECKED_ALREADY
        )
        async with protocol.session_manager.run():
            yield

    app = FastAPI(
        title="Hilum", version=version("hilum"), description=ABOUT, docs_url=None, redoc_url=None, lifespan=running
    )
    app.add_middleware(Guarded, check=callers.known, under=ROUTES)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts or LOOPBACK_NAMES)
    app.add_middleware(_SizeLimit)
    app.mount("/static", StaticFiles(directory=swagger_ui_path), name="static")
    app.mount("/mcp", mcp, name="mcp")
    app.include_router(routes(agent, callers, Conversations(agent)))

    @app.exception_handler(HilumFailure)
    def refused(request: Request, error: HilumFailure) -> JSONResponse:
        return JSONResponse(error.to_json(), status_code=_status_of(error))

    @app.get("/health", tags=["state"])
    def health() -> dict[str, Any]:
        """Whether it runs, who plans, where the models run."""
        return {"status": "ok", "planner": agent.planner_name, "device": agent.models.device, "version": app.version}

    @app.get("/metrics", tags=["state"], response_class=PlainTextResponse)
    def metrics(request: Request) -> PlainTextResponse:
        """What the model pool counted, as Prometheus text, to this machine alone: nothing of films or callers."""
        if request.client is not None and not is_loopback(request.client.host):
            return PlainTextResponse("Metrics are told to this machine alone.\n", status_code=403)
        return PlainTextResponse(agent.models.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False)
    def documentation() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Hilum API",
            swagger_js_url="/static/swagger-ui-bundle.js",
            swagger_css_url="/static/swagger-ui.css",
            swagger_favicon_url="/static/favicon-32x32.png",
        )

    return app


def serve(agent: Agent, host: str, port: int, tokens: str = "") -> None:
    """Run it until it is stopped.

    Raises:
        BadArguments: an address beyond this machine and no tokens.
    """
    if not is_loopback(host) and not read_tokens(tokens):
        raise BadArguments(
            f"{host!r} is an address beyond this machine, and no tokens are set.",
            "Listen on 127.0.0.1, or set HILUM_API_TOKENS=user:token.",
        )
    share_arenas()
    hosts = None if is_loopback(host) else ["*"]
    uvicorn.run(create(agent, tokens, hosts), host=host, port=port, log_level="warning", access_log=False)


def _status_of(error: HilumFailure) -> int:
    return next((status for family, status in STATUS.items() if isinstance(error, family)), 500)


class _SizeLimit:
    """Refuses a request whose body is too large: by its declared length before a byte is read, else as it comes."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > UPLOAD_MOST:
            await _too_large(scope, receive, send)
            return
        came, refused = 0, False

        async def counted() -> Any:
            nonlocal came, refused
            message = await receive()
            came += len(message.get("body", b""))
            if came > UPLOAD_MOST and not refused:
                refused = True
                await _too_large(scope, receive, send)
            return {"type": "http.disconnect"} if refused else message

        async def unless_refused(message: Any) -> None:
            if not refused:
                await send(message)

        try:
            await self._app(scope, counted, unless_refused)
        except ClientDisconnect:
            if not refused:
                raise


async def _too_large(scope: Any, receive: Any, send: Any) -> None:
    refused = {"kind": "too_large", "message": "The request is too large.", "hint": f"At most {UPLOAD_MOST >> 20} MiB."}
    await JSONResponse(refused, status_code=413)(scope, receive, send)


__all__ = ["create", "serve"]
