"""Logins of the workbench: a file of users, or a header that only a named proxy may set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bcrypt
import pytest
from fastapi import Request

from imaging.failures import BadArguments
from ui.chat.login import proxied, users_of


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    path.write_text(f"# the readers\nanna:{hashed}\n\nben:{hashed.replace('$2b$', '$2y$')}\n", encoding="utf-8")
    return path


def request(address: str, **headers: str) -> Request:
    scope: dict[str, Any] = {
        "type": "http", "client": (address, 5000), "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    return Request(scope)


def test_users_of_a_file_are_let_in_by_their_password_alone(users: Path) -> None:
    check = users_of(users)
    assert check("anna", "right") and check("ben", "right")
    assert not check("anna", "wrong") and not check("carl", "right") and not check("carl", "nobody")
    assert not check("anna", "")


@pytest.mark.parametrize("text", ["", "anna:plain text\n", "just a name\n"])
def test_file_without_usable_users_is_refused(users: Path, text: str) -> None:
    users.write_text(text, encoding="utf-8")
    with pytest.raises(BadArguments, match="htpasswd"):
        users_of(users)
    with pytest.raises(BadArguments, match="no file of users"):
        users_of(users.parent / "absent")


def test_header_counts_only_from_a_named_proxy() -> None:
    user = proxied("X-Forwarded-User", ["127.0.0.1", "10.1.0.0/16"])
    assert user(request("127.0.0.1", **{"x-forwarded-user": "anna"})) == "anna"
    assert user(request("10.1.2.3", **{"x-forwarded-user": " ben "})) == "ben"
    assert user(request("192.0.2.7", **{"x-forwarded-user": "anna"})) is None
    assert user(request("127.0.0.1")) is None
    for wrong in ([], ["proxy.example"]):
        with pytest.raises(BadArguments):
            proxied("X-Forwarded-User", wrong)
