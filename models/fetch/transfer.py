"""One file from an address to a path: resumed where it broke off, checked, and only then given its name."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import httpx

from imaging.failures import Unavailable
from models.weights import fault

CONNECT_TIMEOUT_S = 5.0
"""Without a network a pull must say so at once."""

READ_TIMEOUT_S = 30.0
"""Longest silence of a server in the middle of a file."""

ATTEMPTS = 5
"""Tries per file in a row that bring nothing new; each that brings bytes starts the count again."""

FIRST_PAUSE_S = 0.5
"""Pause before the second try; doubled each time, with some chance so that files do not come back together."""

WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")

RETRIED = (408, 429, 500, 502, 503, 504)
"""Answers of a server that may be better next time (RFC 9110)."""

TOKEN_HINT = (
    "Accept the licence on the model's page, then put your access token into the environment variable HF_TOKEN "
    "(or run `hf auth login`)."
)


@dataclass(frozen=True)
class RemoteFile:
    """A file to get.

    Attributes:
        name: path inside the model's folder, with forward slashes.
        size_bytes, sha256: where known beforehand; both are checked.
    """

    name: str
    url: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass
class Connection:
    """How files are asked for.

    Attributes:
        headers: sent with every request (authorisation).
        advance: called with the number of new bytes, from several threads.
        licence: what is to be accepted where the server asks for it, in words.
        stop: set to end every download at the next chunk; what came stays for the next time.
        pause_s: first pause between tries.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    advance: Callable[[int], None] = lambda count: None
    licence: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    pause_s: float = FIRST_PAUSE_S
    client: httpx.Client = field(
        default_factory=lambda: httpx.Client(
            follow_redirects=True, timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        )
    )


def fetch(file: RemoteFile, target: Path, connection: Connection) -> str:
    """Get a file unless it is there already as it should be; returns its sha256.

    It grows as `target`.part, which the next call goes on with, and gets its name once size, checksum and form are
    right. A complete file that is wrong is deleted, so that the next try begins anew.

    Raises:
        Unavailable: no connection, no such file, a licence to accept, or a file that is not what it should be.
    """
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_file() and not _wrong(target, file):
        connection.advance(target.stat().st_size)
        return _sha256(target)
    if part.is_file():
        connection.advance(part.stat().st_size)
    failures = 0
    while True:
        before = part.stat().st_size if part.is_file() else 0
        try:
            _stream(file, part, connection)
            break
        except (httpx.TransportError, _Busy) as error:
            moved = (part.stat().st_size if part.is_file() else 0) > before
            failures = 1 if moved else failures + 1
            unreachable = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) and not before and not moved
            if failures >= ATTEMPTS or unreachable:
                raise Unavailable(
                    f"{file.url} does not answer: {error}.", "Check the connection and call pull again: it goes on."
                ) from error
            time.sleep(connection.pause_s * 2 ** (failures - 1) * (0.5 + random.random()))
    wrong = _wrong(part, file) or form_fault(part, target.name)
    _tag(part).unlink(missing_ok=True)
    if wrong:
        part.unlink()
        raise Unavailable(f"What {file.url} gave is not {file.name}: {wrong}.", "It was deleted. Try again later.")
    digest = _sha256(part)
    part.replace(target)
    return digest


class _Busy(Exception):
    """The server asks to come back later, or stopped short."""


def _stream(file: RemoteFile, part: Path, connection: Connection) -> None:
    """Append what is missing to the part; a server that does not resume starts it anew."""
    have = part.stat().st_size if part.is_file() else 0
    if file.size_bytes is not None and have == file.size_bytes:
        return
    tag = _tag(part).read_text(encoding="utf-8") if have and _tag(part).is_file() else ""
    if have and not tag and file.sha256 is None:  # nothing says that the rest is the same file's
        connection.advance(-have)
        have = 0
    headers = dict(connection.headers) | {"Accept-Encoding": "identity"}
    headers |= {"Range": f"bytes={have}-"} if have else {}
    headers |= {"If-Range": tag} if have and tag else {}
    with connection.client.stream("GET", file.url, headers=headers) as response:
        if response.status_code == 416:  # the part is already as long as the file, or longer
            if have and response.headers.get("content-range", "").endswith(f"/{have}"):
                return
            connection.advance(-have)
            part.unlink()
            raise _Busy("it holds less than the part that is here")
        _accept(file, response, connection.licence)
        resumed = response.status_code == 206 and _begins_at(response, have)
        if have and not resumed:
            connection.advance(-have)
        expected = _expected(response, have if resumed else 0)
        _tag(part).write_text(_version(response), encoding="utf-8")
        with part.open("ab" if resumed else "wb") as out:
            for chunk in response.iter_raw():
                out.write(chunk)
                connection.advance(len(chunk))
                if connection.stop.is_set():
                    raise Unavailable(f"{file.name} was broken off.", "Call pull again: it goes on where it stopped.")
    if expected is not None and part.stat().st_size < expected:
        raise _Busy(f"it stopped after {part.stat().st_size:,} of {expected:,} bytes")


def _accept(file: RemoteFile, response: httpx.Response, licence: str) -> None:
    """Raise unless the answer carries the file."""
    status = response.status_code
    if status in (401, 403):
        terms = f": its licence is to be accepted first ({licence})" if licence else ""
        raise Unavailable(f"{file.url} is not open to you (HTTP {status}){terms}.", TOKEN_HINT)
    if status in RETRIED:
        raise _Busy(f"it answers HTTP {status}")
    if status not in (200, 206):
        raise Unavailable(
            f"{file.url} is not there (HTTP {status}).", "Compare the catalog's source with the model's page."
        )
    if response.headers.get("content-type", "").startswith("text/html"):
        raise Unavailable(f"{file.url} gave a web page, not weights.", "Open it in a browser to see what it says.")


def _tag(part: Path) -> Path:
    """Where the version of the file whose part this is stands."""
    return part.with_name(part.name + ".version")


def _version(response: httpx.Response) -> str:
    """What tells this version of a file from another: a strong ETag, else its date (RFC 9110, 13.1.5); else empty."""
    etag = response.headers.get("etag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("last-modified", "")


def _begins_at(response: httpx.Response, position: int) -> bool:
    return response.headers.get("content-range", "").startswith(f"bytes {position}-")


def _expected(response: httpx.Response, have: int) -> int | None:
    """Full size by the server's word, where the body is not compressed on its way."""
    length = response.headers.get("content-length")
    return have + int(length) if length and not response.headers.get("content-encoding") else None


def _wrong(path: Path, file: RemoteFile) -> str:
    """How a complete file differs from what was promised; empty where it does not."""
    size = path.stat().st_size
    if file.size_bytes is not None and size != file.size_bytes:
        return f"it has {size:,} bytes, not {file.size_bytes:,}"
    if file.sha256 is not None and (found := _sha256(path)) != file.sha256:
        return f"its sha256 is {found[:12]}…, not {file.sha256[:12]}…"
    return ""


def form_fault(path: Path, name: str) -> str:
    """What is wrong with the form of a file of that name, in words; empty where nothing is."""
    suffix = PurePosixPath(name).suffix
    if suffix in WEIGHT_SUFFIXES:
        return fault(path, suffix=suffix) or _archive_fault(path)
    if suffix == ".json":
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            return f"it is no JSON: {error}"
    return ""


def _archive_fault(path: Path) -> str:
    """The first damaged member of a torch.save archive, by its CRC-32, which torch itself does not look at."""
    if not zipfile.is_zipfile(path):
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        return f"its archive is damaged: {error}"
    return f"its archive is damaged: the checksum of {damaged} is wrong" if damaged else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
