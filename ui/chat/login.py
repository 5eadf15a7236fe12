"""Who may use a workbench that others can reach: users of a file, or those a reverse proxy has already let in."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from pathlib import Path

import bcrypt
from fastapi import Request

from imaging.failures import BadArguments

BCRYPT = ("$2y$", "$2b$", "$2a$")
"""How a bcrypt hash begins; `htpasswd -B` writes the first."""
NOBODY = bcrypt.hashpw(b"nobody", bcrypt.gensalt(10))
"""Checked for unknown names, so that they take as long as known ones."""
PASSWORD_BYTES = 72
"""bcrypt reads no more of a password."""


Login = Callable[[str, str], bool] | tuple[str, str]


def login_of(login: str | None, users: Path | None, proxied: bool) -> Login | None:
    """The one way of logging in that was asked for; None without any.

    Args:
        login: "user:password".
        users: a file as users_of reads it.
        proxied: a reverse proxy lets users in.

    Raises:
        BadArguments: several ways at once, or the login is not of that form.
    """
    if sum((login is not None, users is not None, proxied)) > 1:
        raise BadArguments("Several ways of logging in are set.", "Set one: --login, --users or --user-header.")
    if users is not None:
        return users_of(users)
    if login is None:
        return None
    user, _, password = login.partition(":")
    if not (user and password):
        raise BadArguments("The login is not of the form user:password.", "Set HILUM_CHAT_LOGIN=user:password.")
    return user, password


def users_of(path: Path) -> Callable[[str, str], bool]:
    """Whether a name and password stand in a file of lines "name:bcrypt hash", as `htpasswd -B` writes them.

    Raises:
        BadArguments: there is no such file, it names nobody, or a line is not of that form.
    """
    if not path.is_file():
        raise BadArguments(f"There is no file of users at {path}.", "Make one with: htpasswd -B -c FILE NAME.")
    known: dict[str, bytes] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, hashed = line.strip().partition(":")
        if not name or not hashed.startswith(BCRYPT):
            raise BadArguments(
                f"Line {number} of {path} is not a name with a bcrypt hash.", "Make lines with: htpasswd -B FILE NAME."
            )
        known[name] = hashed.encode()
    if not known:
        raise BadArguments(f"{path} names no user.", "Add one with: htpasswd -B FILE NAME.")

    def check(name: str, password: str) -> bool:
        given = password.encode()[:PASSWORD_BYTES]
        return bcrypt.checkpw(given, known.get(name, NOBODY)) and name in known

    return check


def proxied(header: str, proxies: Sequence[str]) -> Callable[[Request], str | None]:
    """The user that a reverse proxy names in a header; nobody where the request does not come from one of them.

    Args:
        header: e.g. "X-Forwarded-User"; the proxy must set it on every request and drop what a browser sent.
        proxies: addresses or networks of the proxies, e.g. "127.0.0.1" or "10.1.0.0/16".

    Raises:
        BadArguments: no proxy is named, or one is no address.
    """
    if not proxies:
        raise BadArguments("No proxy is named that may say who a user is.", "Add --proxy ADDRESS.")
    try:
        networks = [ipaddress.ip_network(each, strict=False) for each in proxies]
    except ValueError as error:
        raise BadArguments(f"A proxy is no address or network: {error}.", "Give e.g. --proxy 127.0.0.1.") from None

    def user(request: Request) -> str | None:
        caller = ipaddress.ip_address(request.client.host) if request.client else None
        if caller is None or not any(caller in network for network in networks):
            return None
        return request.headers.get(header, "").strip() or None

    return user
