"""Pages of other sites, which a browser lets call a server here: refused alike by the HTTP API and by the chat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse

LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]", "testserver"]
"""Host names under which a server of this machine answers; a page that rebinds its name to 127.0.0.1 has another."""

OTHER_SITES = ("cross-site", "same-site")
"""What a browser says of a request of another site's page (Fetch Metadata, Sec-Fetch-Site); a page cannot change it."""


def refuse_other_sites(request: Request) -> None:
    """A page of another site must not use this machine's server through the user's browser, not even to read.

    Raises:
        HTTPException: 403 for such a request.
    """
    origin = request.headers.get("origin")
    elsewhere = bool(origin) and urlsplit(origin).netloc != request.headers.get("host")
    if elsewhere or request.headers.get("sec-fetch-site") in OTHER_SITES:
        raise HTTPException(403, "Pages of other sites may not call this server.")


class Guarded:
    """An application that only a request which passes a check reaches, asked before a byte of the body is read.

    Args:
        app: the application; may be set later, before the first request.
        check: raises HTTPException for a request that is refused.
        under: beginning of the paths that are guarded.
    """

    def __init__(self, app: Any, check: Callable[[Request], object], under: str = "") -> None:
        self.app = app
        self._check, self._under = check, under

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(self._under):
            try:
                self._check(Request(scope))
            except HTTPException as refused:
                answer = JSONResponse({"detail": refused.detail}, refused.status_code, refused.headers)
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)


__all__ = ["LOOPBACK_NAMES", "Guarded", "refuse_other_sites"]
