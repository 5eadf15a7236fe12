"""Tables and films of a published data set: JSON, JSON Lines or CSV, packed or not, and files found in its folders."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from imaging.failures import BadArguments

Table = list[dict[str, Any]]
PICTURES = {".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".tif", ".tiff"}


def find(data: Path | None, names: Sequence[str], what: str) -> Path:
    """The first of the named files that is in the folder; names may hold wildcards.

    Raises:
        BadArguments: no folder was given, or none of them is there.
    """
    if data is None:
        raise BadArguments(f"{what} needs --data DIR.", f"A folder with {' or '.join(names)}.")
    for name in names:
        found = sorted(data.glob(name))
        if found:
            return found[0]
    raise BadArguments(f"There is no {' or '.join(names)} in {str(data)!r}.", f"Unpack {what} as published there.")


def read_table(path: Path) -> Table:
    """Rows of a .json, .jsonl or .csv file, .gz or not. A JSON object of rows gives each its key as `_key`; an object
    of lists gives every row its list's name as `_key`.

    Raises:
        BadArguments: it is none of these.
    """
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = content.decode("utf-8-sig")
    kind = Path(path.name.removesuffix(".gz")).suffix.lower()
    try:
        if kind == ".csv":
            return list(csv.DictReader(io.StringIO(text)))
        if kind == ".jsonl":
            return [_row(json.loads(line)) for line in text.splitlines() if line.strip()]
        return _of_json(json.loads(text))
    except (ValueError, csv.Error) as error:
        raise BadArguments(f"{path.name} cannot be read: {error}.", "Give the file as it was published.") from error


def _of_json(told: Any) -> Table:
    if isinstance(told, list):
        return [_row(row) for row in told]
    if not isinstance(told, dict):
        raise ValueError("neither a list nor an object of rows")
    rows = []
    for key, value in told.items():
        rows += [{"_key": key, **_row(row)} for row in (value if isinstance(value, list) else [value])]
    return rows


def _row(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise ValueError(f"a row is {type(told).__name__}, not an object")
    return told


def first(row: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The value of the first of these fields that the row has and that is not empty; None otherwise."""
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


class Films:
    """The pictures below a folder, found by the names that tables give them."""

    def __init__(self, data: Path) -> None:
        """Walks the folder once.

        Args:
            data: the data set's folder.
        """
        self._by_stem: dict[str, list[PurePosixPath]] = {}
        self._data = data
        for folder, _, names in os.walk(data):
            for name in names:
                path = PurePosixPath(Path(folder, name).relative_to(data))
                if path.suffix.lower() in PICTURES:
                    self._by_stem.setdefault(path.stem, []).append(path)

    def find(self, name: str) -> Path | None:
        """The film of that name, None where it is absent.

        Among several of one name, the one whose folders agree with most of those in the name; among equals the one with
        the name's own ending, then the first.

        Raises:
            BadArguments: the name leads out of the data folder.
        """
        wanted = PurePosixPath(name.replace("\\", "/").lstrip("/"))
        if ".." in wanted.parts or ":" in name:
            raise BadArguments(
                f"Film {name!r} leads out of {str(self._data)!r}.", "Names must stay in the data folder."
            )
        stem = wanted.stem if wanted.suffix.lower() in PICTURES else wanted.name
        found = self._by_stem.get(stem, [])
        best = max(sorted(found), key=lambda path: (_shared_end(path, wanted), path.name == wanted.name), default=None)
        return None if best is None else self._data / best


def _shared_end(one: PurePosixPath, other: PurePosixPath) -> int:
    """How many folders both paths have in common, counted from the file upwards."""
    pairs = zip(reversed(one.parts[:-1]), reversed(other.parts[:-1]), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def repeated(names: Iterable[str]) -> list[str]:
    """What occurs more than once, in order."""
    return [name for name, count in Counter(names).items() if count > 1]


def fingerprint(*parts: object) -> str:
    """SHA-256 of what a data set was read from."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
