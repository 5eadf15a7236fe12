"""Past films to compare with: an index of embeddings and records on this machine, its making and its searching.

`entries.py` says what comes in, `building.py` makes the index from it, `library.py` searches it; `records.py` (SQLite)
and `vectors.py` (faiss) hold it. A new source is an iterable of `Entry`."""

from tools.cases.entries import Entry, folder_entries, pacs_entries
from tools.cases.library import CaseLibrary, Wanted

__all__ = ["CaseLibrary", "Entry", "Wanted", "folder_entries", "pacs_entries"]
