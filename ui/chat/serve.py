"""Serving the page: this machine only, unless there is a login; nothing is shared, measured or fetched elsewhere."""

# No postponed annotations here: FastAPI reads those of the metrics route when it is added.

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from gradio import processing_utils
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from agent.freed import share_arenas
from agent.llm.named import is_loopback
from agent.settings import Settings
from imaging.failures import BadArguments
from ui.chat.page import asset, build
from ui.sites import LOOPBACK_NAMES, Guarded, refuse_other_sites

if TYPE_CHECKING:
    from agent import Agent
    from imaging.pacs import Pacs

MAX_UPLOAD_MB = 150
"""Largest file the page takes: a chest film of 4,300 × 3,600 pixels in 16 bits is 31 MB uncompressed, and a zip archive
holds several."""

CONCURRENT_UPLOADS = 4
"""Uploads decoded at once."""

THREADS = 160
"""Handlers at once: each window that follows its answer holds one, and mostly sleeps."""

WAITING_TURNS = 64
"""Requests that may wait in line; one more is told that the server is busy."""

STYLES = ("style.css", "viewer.css", "panels.css")
SCRIPTS = ("page.js", "upload.js", "planes.js", "marks.js", "viewer.js", "report.js", "access.js")

LOGOUT_PATH = "/logout"
"""Gradio's."""

METRICS_PATH = "/metrics"
"""Where Prometheus looks by default."""

SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif")
SYSTEM_MONOSPACE = ("ui-monospace", "SFMono-Regular", "Consolas", "DejaVu Sans Mono", "monospace")

Login = Callable[[str, str], bool] | tuple[str, str] | list[tuple[str, str]]


def launch(
    agent: "Agent",
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 7860,
    *,
    auth: Login | None = None,
    named_by: Callable[[Request], str | None] | None = None,
    pacs: "Sequence[Pacs]" = (),
    block: bool = True,
    quiet: bool = False,
) -> gr.Blocks:
    """Serve the chat at http://host:port; the page that is served.

    Args:
        agent: answers every window's questions, a session each.
        settings: what the state line tells of.
        host: address to listen on; other than loopback only with `auth`.
        port: TCP port; 0 takes the first free one from 7860 on.
        auth: logins, as gradio takes them: (user, password), a list of them, or a function of both.
        named_by: who a request is from, None for nobody, where a reverse proxy has let its user in; instead of `auth`.
        pacs: whose studies every user may browse, and to which every user may send signed reports.
        block: wait until the server is stopped; otherwise return while it serves.
        quiet: do not print the address.

    Raises:
        BadArguments: an address beyond this machine and no login.
    """
    _require_login(host, bool(auth or named_by))
    share_arenas()
    # Gradio downloads what a request names by an address, from any public host; a film is uploaded or not at all.
    processing_utils.async_ssrf_protected_download = _fetch_nothing
    page = build(agent, settings, pacs, logs_out=auth is not None)
    page.queue(default_concurrency_limit=CONCURRENT_UPLOADS, max_size=WAITING_TURNS)
    server, _, _ = page.launch(
        server_name=host,
        server_port=port or None,
        auth=auth,
        auth_dependency=named_by,
        theme=theme(),
        css="".join(map(asset, STYLES)),
        head=_head(),
        max_threads=THREADS,
        share=False,
        inbrowser=False,
        ssr_mode=False,
        strict_cors=True,
        show_error=True,
        enable_monitoring=False,
        mcp_server=False,
        max_file_size=f"{MAX_UPLOAD_MB}mb",
        footer_links=[],
        quiet=quiet,
        prevent_thread_lock=True,
        app_kwargs={"middleware": _guards(anybody=not (auth or named_by))},
    )
    _own_routes(server, agent)
    if block:
        page.block_thread()
    return page


def _require_login(host: str, there_is_one: bool) -> None:
    if not is_loopback(host) and not there_is_one:
        raise BadArguments(
            f"{host!r} is an address beyond this machine, and no login is set.",
            "Listen on 127.0.0.1, or set one: --users FILE, --user-header NAME --proxy ADDRESS, or "
            "HILUM_CHAT_LOGIN=user:password.",
        )


def _guards(anybody: bool) -> list[Middleware]:
    """What every request meets first: without a login this machine's own names alone are answered.

    Gradio lets the page of any site read and send where the server has a name of its own, with the user's cookie.
    """
    names = [Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK_NAMES)] if anybody else []
    return [*names, Middleware(Guarded, check=_refuse_but_links)]


def _refuse_but_links(request: Request) -> None:
    """Another site may link to the workbench: a browser opens it as a whole new page, which that site cannot read."""
    if request.method != "GET" or request.headers.get("sec-fetch-dest") != "document":
        refuse_other_sites(request)


def _own_routes(server: FastAPI, agent: "Agent") -> None:
    """Metrics; and a login ends by a POST, not by gradio's GET, which a link or a picture anywhere can bring about."""
    [route] = [each for each in server.routes if isinstance(each, APIRoute) and each.path == LOGOUT_PATH]
    route.methods = {"POST"}
    server.add_api_route(METRICS_PATH, _metrics(agent), include_in_schema=False)


def _head() -> str:
    """The page's scripts, inside it: nothing else is fetched."""
    scripts = [f"window.hilum = {{ uploadMb: {MAX_UPLOAD_MB} }};", *map(asset, SCRIPTS)]
    return "".join(f"<script>{script}</script>" for script in scripts)


async def _fetch_nothing(url: str, cache_dir: str) -> str:
    raise gr.Error("The chat opens files that are given to it and fetches nothing from an address.")


def _metrics(agent: "Agent") -> Callable[[Request], PlainTextResponse]:
    """What the pool counted, as Prometheus text, to this machine alone: counts and model ids, nothing of films."""

    def metrics(request: Request) -> PlainTextResponse:
        if request.client is None or not is_loopback(request.client.host):
            return PlainTextResponse("Metrics are told to this machine alone.\n", status_code=403)
        return PlainTextResponse(agent.models.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return metrics


def theme() -> gr.themes.Base:
    """Calm, with the fonts of the system: a page that fetches a font tells another machine that it was opened."""
    look: Any = gr.themes.Base(
        primary_hue=gr.themes.colors.sky,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_md,
        font=list(SYSTEM_FONTS),
        font_mono=list(SYSTEM_MONOSPACE),
    )
    return look
