"""Who calls, whether they may, and how often: bearer tokens, this machine's own pages, and limits per caller."""

# No postponed annotations in this room's route files: FastAPI reads them when a route is added.

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from imaging.failures import BadArguments
from ui.often import PerMinute
from ui.sites import refuse_other_sites

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
        self._often = PerMinute(per_minute)

    def owner(self, request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
        """The user's name.

        Raises:
            HTTPException: 401 without a good token, 403 for another site's page, 429 beyond the limit.
        """
        user = self.known(request, bearer)
        if not self._often.allows(user or _address(request)):
            raise HTTPException(429, "Too many requests; wait a minute.", {"Retry-After": "60"})
        return user

    def known(self, request: Request, bearer: HTTPAuthorizationCredentials | None = None) -> str:
        """As `owner`, without counting the request; the token is the request's own where none is given."""
        refuse_other_sites(request)
        bearer = bearer or _bearer_of(request)
        return self._user(bearer.credentials if bearer else "")

    def of_headers(self, request: Request) -> str:
        """As `owner`, for what is mounted beside the routes."""
        return self.owner(request, _bearer_of(request))

    def _user(self, token: str) -> str:
        if not self._tokens:
            return LOCAL_USER
        given = hashlib.sha256(token.encode()).hexdigest()
        found = [user for user, known in self._tokens.items() if hmac.compare_digest(known, given)]
        if not found:
            raise HTTPException(401, "A bearer token is needed.", {"WWW-Authenticate": "Bearer"})
        return found[0]


def _bearer_of(request: Request) -> HTTPAuthorizationCredentials | None:
    """The token of a request's Authorization header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return HTTPAuthorizationCredentials(scheme=scheme, credentials=token) if scheme.lower() == "bearer" else None


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


__all__ = ["LOCAL_USER", "Callers", "read_tokens"]
