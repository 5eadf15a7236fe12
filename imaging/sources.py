"""Files, folders and zip archives as a run of named contents, in a steady order, nothing skipped without a reason.

Nothing is unpacked to disk: a member is read into memory, so that its name can lead nowhere. Links inside folders are
not followed.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imaging.failures import FilmRefused
from imaging.files import open_film, read_bytes
from imaging.limits import MAX_FILE_BYTES
from imaging.radiograph import Radiograph
from imaging.refusals import refusal

MAX_FILES = 10_000
"""Files of one call, folders and archives together: years of one patient's films have hundreds."""

MAX_MEMBERS = 5_000
"""Members of one archive."""

MAX_UNPACKED_BYTES = 4 << 30
"""Bytes that one archive may unpack to: a hundred films of 40 MB."""

MAX_RATIO = 200
"""Unpacked over packed size of a member, beyond which it is no film: empty 16-bit margins reach 50, a bomb 1,000."""

RATIO_FREE_BYTES = 1 << 20
"""Members that unpack to less are not asked for their ratio."""

MAX_DEPTH = 32
"""Folders within folders."""

ZIP_ERRORS: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
"""What the zipfile module raises on damaged, encrypted and exotic archives; RuntimeError says "password required"."""


@dataclass(frozen=True)
class Content:
    """One file or archive member: its bytes, or why it has none.

    Attributes:
        name: where it came from, as the caller gave it: paths, and "archive.zip!member". May name a patient: show it
            to the person who gave it, and write it nowhere.
        data: the bytes; None when refused.
        refused: the reason; None when there are bytes.
    """

    name: str
    data: bytes | None = None
    refused: FilmRefused | None = None

    def film(self) -> Radiograph:
        """The film in it.

        Raises:
            FilmRefused: there is none, with the reason.
        """
        if self.data is None:
            raise self.refused or refusal("empty", "There is nothing in it.")
        return open_film(self.data)


def contents(given: Sequence[str | Path | bytes], most: int = MAX_FILES) -> Iterator[Content]:
    """The contents of files, folders (with all below) and zip archives (one level), each read when it is asked for.

    Args:
        given: paths, and bytes of files or archives, which are named "file 1", "file 2" … by their place.
        most: files to read; what lies beyond is one refusal.
    """
    count = 0
    for place, each in enumerate(given, start=1):
        name = f"file {place}" if isinstance(each, bytes) else str(each)
        for found in _opened(name, each) if isinstance(each, bytes) else _walk(Path(each)):
            count += 1
            if count > most:
                yield Content(name, refused=refusal("too_many", f"More than {most:,} files were given."))
                return
            yield found


def _walk(path: Path, depth: int = 0) -> Iterator[Content]:
    """One path; a folder's entries by name, files before folders' insides as the names fall."""
    if depth and path.is_symlink():
        yield Content(
            str(path), refused=refusal("unreadable", "This is a link; links inside folders are not followed.")
        )
        return
    try:
        is_folder = path.is_dir()
        inside = sorted(path.iterdir()) if is_folder else []
    except OSError as error:
        yield Content(str(path), refused=refusal("unreadable", f"It cannot be read ({type(error).__name__})."))
        return
    except ValueError:  # a NUL in the path
        yield Content("?", refused=refusal("unreadable", "The path is not one."))
        return
    if is_folder:
        if depth >= MAX_DEPTH:
            yield Content(str(path), refused=refusal("unreadable", f"Folders nest deeper than {MAX_DEPTH}."))
        elif not inside:
            yield Content(str(path), refused=refusal("empty", "The folder holds no file.", "Give a folder with films."))
        else:
            for entry in inside:
                yield from _walk(entry, depth + 1)
        return
    try:
        data = read_bytes(path)
    except FilmRefused as refused:
        yield Content(str(path), refused=refused)
        return
    yield from _opened(str(path), data)


def _opened(name: str, data: bytes) -> Iterator[Content]:
    """A file's bytes: its members if it is a zip archive, else itself."""
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        yield from zip_contents(name, data)
    else:
        yield Content(name, data)


def zip_contents(name: str, data: bytes) -> Iterator[Content]:
    """The members of a zip archive's bytes; one refusal for the whole archive when it is damaged or a bomb."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except ZIP_ERRORS as error:
        yield Content(name, refused=refusal("archive", f"The ZIP archive cannot be read ({type(error).__name__})."))
        return
    with archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        problem = _bomb(members)
        if problem is not None:
            yield Content(name, refused=problem)
            return
        if not members:
            yield Content(name, refused=refusal("empty", "The ZIP archive holds no file."))
        for member in sorted(members, key=lambda each: each.filename):
            yield _member(archive, member, f"{name}!{member.filename}")


def _bomb(members: list[zipfile.ZipInfo]) -> FilmRefused | None:
    """Why an archive's directory promises too much, before anything is unpacked."""
    if len(members) > MAX_MEMBERS:
        return refusal("archive_bomb", f"The archive has {len(members):,} files; at most {MAX_MEMBERS:,} are read.")
    total = sum(member.file_size for member in members)
    if total > MAX_UNPACKED_BYTES:
        return refusal(
            "archive_bomb",
            f"The archive unpacks to {total >> 20:,} MiB; at most {MAX_UNPACKED_BYTES >> 20:,} are read.",
        )
    return None


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Content:
    """One member's bytes: never more than its directory entry promised, whatever the stream holds."""
    if member.flag_bits & 1:
        return Content(name, refused=refusal("archive", "The archive is locked by a password.", "Unpack it first."))
    if member.file_size == 0:
        return Content(name, refused=refusal("empty", "The file has 0 bytes."))
    if member.file_size > MAX_FILE_BYTES:
        return Content(name, refused=refusal("too_large", f"The file has {member.file_size >> 20:,} MiB."))
    ratio = member.file_size / max(member.compress_size, 1)
    if member.file_size > RATIO_FREE_BYTES and ratio > MAX_RATIO:
        return Content(name, refused=refusal("archive_bomb", f"The file is packed {ratio:,.0f} times smaller."))
    try:
        with archive.open(member) as stream:
            data = stream.read(member.file_size + 1)
    except ZIP_ERRORS as error:
        return Content(name, refused=refusal("archive", f"The member cannot be unpacked ({type(error).__name__})."))
    if len(data) != member.file_size:
        return Content(name, refused=refusal("archive", "The member has another size than the archive says."))
    return Content(name, data)
