"""Who calls, whether they may, and how often: bearer tokens, this machine's own pages, and limits per caller."""

# No postponed annotations in this room's route files: FastAPI reads them when a route is added.

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from imaging.failures import BadArguments

LOCAL_USER = ""
"""Owner of what is done on this machine without a token; the same as on the command line."""
TOKEN_LEAST = 16
"""Least length of a token: shorter ones can be guessed over a network."""

_bearer = HTTPBearer(auto_error=False, description="One of the tokens the server was started with.")


def read_tokens(text: str) -> dict[str, str]:
    """User -> sha256 of the token, from "anna:token,ben:token".

    Raises:
        BadArguments: an entry is not of that form, or a token is too short.
    """
    users = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        user, _, token = entry.partition(":")
        if not user or len(token) < TOKEN_LEAST:
            raise BadArguments(
                f"The token of {user or 'an entry without a name'} cannot be used.",
                f"Write user:token,user:token with tokens of at least {TOKEN_LEAST} characters.",
            )
        users[user] = hashlib.sha256(token.encode()).hexdigest()
    return users


class Callers:
    """Decides who a request is from.

    Args:
        tokens: user -> sha256 of the token; none: this machine alone, without a token.
        per_minute: requests of one caller in a minute.
    """

    def __init__(self, tokens: Mapping[str, str], per_minute: int) -> None:
        self._tokens = dict(tokens)
        self._limit = parse(f"{per_minute}/minute")
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def owner(self, request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
        """The user's name.

        Raises:
            HTTPException: 401 without a good token, 403 for another site's page, 429 beyond the limit.
        """
        _refuse_other_sites(request)
        user = self._user(bearer.credentials if bearer else "")
        if not self._limiter.hit(self._limit, user or _address(request)):
            raise HTTPException(429, "Too many requests; wait a minute.", {"Retry-After": "60"})
        return user

    def of_headers(self, request: Request) -> str:
        """The user's name from a request's Authorization header, as `owner`, for what is mounted beside the routes."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        bearer = HTTPAuthorizationCredentials(scheme=scheme, credentials=token) if scheme.lower() == "bearer" else None
        return self.owner(request, bearer)

    def _user(self, token: str) -> str:
        if not self._tokens:
            return LOCAL_USER
        given = hashlib.sha256(token.encode()).hexdigest()
        found = [user for user, known in self._tokens.items() if hmac.compare_digest(known, given)]
        if not found:
            raise HTTPException(401, "A bearer token is needed.", {"WWW-Authenticate": "Bearer"})
        return found[0]


class Guarded:
    """An application that only a known caller reaches; `app` is set before the first request."""

    def __init__(self, callers: Callers) -> None:
        self.app: Any = None
        self._callers = callers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            try:
                self._callers.of_headers(Request(scope))
            except HTTPException as refused:
                answer = JSONResponse({"detail": refused.detail}, refused.status_code, refused.headers)
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _refuse_other_sites(request: Request) -> None:
    """A page of another site must not use this machine's server through the user's browser, not even to read."""
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "Pages of other sites may not call this server.")
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise HTTPException(403, "Pages of other sites may not call this server.")


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


__all__ = ["LOCAL_USER", "Callers", "Guarded", "read_tokens"]
