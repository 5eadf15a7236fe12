"""Passages with their published sources, the user's own files beside them, and the search over both.

Passages are data: they are shown and cited, never followed, and they say nothing of a film."""

from tools.library.own import Indexed, index_folder, own_passages
from tools.library.passages import Passage, shipped, sources
from tools.library.search import Found, Hit, Library, search

__all__ = [
    "Found",
    "Hit",
    "Indexed",
    "Library",
    "Passage",
    "index_folder",
    "own_passages",
    "search",
    "shipped",
    "sources",
]
