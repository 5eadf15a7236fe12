"""The user's own passages: Markdown, text and PDF files of a folder, cut into passages and kept in SQLite.

Under Hilum's home directory. A passage is marked with the name of its file and, in a PDF, its page. Its words are data:
they are shown and cited, and nothing in them is followed.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from imaging.failures import BadArguments
from tools.library.passages import Passage

DATABASE = Path("knowledge", "own.sqlite")
"""Below Hilum's home directory."""
TEXT_SUFFIXES = (".md", ".markdown", ".txt")
SUFFIXES = (*TEXT_SUFFIXES, ".pdf")
MAX_FILE_BYTES = 64 << 20
MAX_PAGES = 3000
PASSAGE_WORDS = 150
"""Words of one passage, about those of one of ours; longer paragraphs are cut between sentences."""
LEAST_WORDS = 5
"""Shorter pieces are headings and page numbers."""
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
SENTENCE = re.compile(r"(?<=[.!?])\s+")

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (key TEXT PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS passages (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, title TEXT NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS passages_by_file ON passages (key);
"""


@dataclass
class Indexed:
    """What became of a folder's files."""

    added: int = 0
    unchanged: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    passages: int = 0


def index_folder(folder: Path, home: Path, *, anew: bool = False) -> Iterator[tuple[str, Indexed]]:
    """Read a folder's files into the user's passages; yields each file's name and the counts so far.

    A file that did not change is not read again; one that changed replaces its passages.

    Args:
        folder: with all below it, or one file.
        home: Hilum's home directory.
        anew: forget what was indexed before.

    Raises:
        BadArguments: the folder is not there.
    """
    if not folder.exists():
        raise BadArguments(f"{folder} is not there.", "Give a folder of Markdown, text or PDF files.")
    database = home / DATABASE
    database.parent.mkdir(parents=True, exist_ok=True)
    counts = Indexed()
    root = folder if folder.is_dir() else folder.parent
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(SCHEMA)
        if anew:
            connection.executescript("DELETE FROM passages; DELETE FROM files;")
        files = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
        for path in (path for path in files if path.is_file() and path.suffix.lower() in SUFFIXES):
            name = path.relative_to(root).as_posix()
            _add(connection, path, name, counts)
            connection.commit()
            yield name, counts
        counts.passages = connection.execute("SELECT count(*) FROM passages").fetchone()[0]
    yield "", counts


def own_passages(home: Path | None) -> tuple[Passage, ...]:
    """Every passage of the user's own files; none where nothing was indexed."""
    database = home / DATABASE if home is not None else None
    if database is None or not database.is_file():
        return ()
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT id, name, title, heading, text FROM passages JOIN files USING (key) ORDER BY id"
        ).fetchall()
    return tuple(
        Passage(
            f"own/{number}", title, heading, text, (), (f"{file}{f', {heading}' if heading else ''}",), (file,), file
        )
        for number, file, title, heading, text in rows
    )


def stamp(home: Path | None) -> float:
    """Changes when the user's passages do; 0 where there are none."""
    database = home / DATABASE if home is not None else None
    return database.stat().st_mtime if database is not None and database.is_file() else 0.0


def _add(connection: sqlite3.Connection, path: Path, name: str, counts: Indexed) -> None:
    if path.stat().st_size > MAX_FILE_BYTES:
        counts.refused.append((name, f"larger than {MAX_FILE_BYTES >> 20} MB"))
        return
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    key = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
    if connection.execute("SELECT 1 FROM files WHERE key = ? AND sha256 = ?", (key, digest)).fetchone():
        counts.unchanged += 1
        return
    try:
        pieces = list(_pdf(path) if path.suffix.lower() == ".pdf" else _markdown(data.decode("utf-8", "replace")))
    except UnreadableFile as fault:
        counts.refused.append((name, str(fault)))
        return
    if not pieces:
        counts.refused.append((name, "holds no text"))
        return
    connection.execute("DELETE FROM passages WHERE key = ?", (key,))
    title = Path(name).stem.replace("_", " ")
    connection.executemany(
        "INSERT INTO passages (key, title, heading, text) VALUES (?, ?, ?, ?)",
        [(key, title, heading, text) for heading, text in pieces],
    )
    connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (key, name, digest))
    counts.added += 1


class UnreadableFile(Exception):
    """A PDF that cannot be read, with the reason."""


def _pdf(path: Path) -> Iterator[tuple[str, str]]:
    """(page, text) of every passage of a PDF.

    Raises:
        UnreadableFile: it is damaged, locked or has too many pages.
    """
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableFile("is locked with a password")
        if len(reader.pages) > MAX_PAGES:
            raise UnreadableFile(f"has more than {MAX_PAGES} pages")
        for number, page in enumerate(reader.pages, start=1):
            text = re.sub(r"(?<=\w)-\n(?=[a-z])", "", page.extract_text())
            yield from ((f"page {number}", piece) for piece in _cut(text))
    except (PyPdfError, ValueError, KeyError, IndexError, AttributeError, RecursionError, OSError) as fault:
        raise UnreadableFile(f"is no PDF that can be read ({type(fault).__name__})") from fault


def _markdown(text: str) -> Iterator[tuple[str, str]]:
    """(heading, text) of every passage of a Markdown or plain text file."""
    heading, lines = "", list[str]()
    for line in [*text.splitlines(), "# "]:
        match = HEADING.match(line)
        if match is None:
            lines.append(line)
            continue
        yield from ((heading, piece) for piece in _cut("\n".join(lines)))
        heading, lines = match[1], []


def _cut(text: str) -> Iterator[str]:
    """Pieces of at most about PASSAGE_WORDS words, parted between paragraphs, else between sentences."""
    held: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        for sentence in SENTENCE.split(" ".join(paragraph.split())):
            words = sentence.split()
            if held and len(held) + len(words) > PASSAGE_WORDS:
                yield from _long_enough(held)
                held = []
            held += words
    yield from _long_enough(held)


def _long_enough(words: list[str]) -> Iterator[str]:
    if len(words) >= LEAST_WORDS:
        yield " ".join(words)
