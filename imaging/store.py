"""ImageStore: the films of one session, each decoded once and known by its id."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from imaging.dicom import film_from_dataset
from imaging.failures import BadArguments
from imaging.files import open_film
from imaging.radiograph import Radiograph
from imaging.refusals import refusal
from imaging.sources import Content

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DEFAULT_MAX_BYTES = 2 << 30
"""Bytes of pixels a session may hold: 30 films of 18 megapixels as float32."""


class ImageStore:
    """The films of one session, in order of adding. Safe between threads; films are never dropped silently.

    Ids are content ids: a film added twice, from whatever file, is one film. Display names are "film 1", "film 2" …
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES, kept: Callable[[Radiograph], object] | None = None) -> None:
        """An empty store.

        Args:
            max_bytes: of pixels that it may hold.
            kept: told of every film that came in, once, before `add` returns; whoever must not lose it keeps it then.
        """
        self._kept = kept
        self.max_bytes = max_bytes
        self._films: dict[str, Radiograph] = {}
        self._numbers: dict[str, int] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        self._by_file: WeakValueDictionary[str, Radiograph] = WeakValueDictionary()

    def opened(self, content: Content) -> Radiograph:
        """The film in a file or archive member; the same file given again is not decoded anew while its film is held.

        Raises:
            FilmRefused: there is none, with the reason.
        """
        digest = sha256(content.data or b"").hexdigest()
        film = self._by_file.get(digest)
        if film is None:
            film = self._by_file[digest] = content.film()
        return film

    def add(self, source: str | Path | bytes | Radiograph | Dataset) -> Radiograph:
        """Add a film from a path, a file's bytes, a pydicom Dataset or a Radiograph; return the stored one.

        Raises:
            FilmRefused: the file cannot become a film, or (`store_full`) the session holds too much already.
        """
        film = self._open(source)
        with self._lock:
            if film.id in self._films:
                return self._films[film.id]
            if self._bytes + film.pixels.nbytes > self.max_bytes:
                raise refusal(
                    "store_full",
                    f"The session holds {len(self._films)} films in {self._bytes >> 20} MiB; this one needs "
                    f"{film.pixels.nbytes >> 20} MiB more than the limit of {self.max_bytes >> 20} MiB leaves.",
                )
            self._films[film.id] = film
            self._numbers.setdefault(film.id, len(self._numbers) + 1)
            self._bytes += film.pixels.nbytes
        if self._kept is not None:
            self._kept(film)
        return film

    @staticmethod
    def _open(source: str | Path | bytes | Radiograph | Dataset) -> Radiograph:
        if isinstance(source, Radiograph):
            return source
        if isinstance(source, (str, Path, bytes)):
            return open_film(source)
        return film_from_dataset(source)

    def get(self, image_id: str) -> Radiograph:
        """The film of an id, or of a display name ("film 2").

        Raises:
            BadArguments: no film has that id; the nearest and the known ones are named.
        """
        with self._lock:
            films = dict(self._films)
            names = {f"film {self._numbers[key]}": key for key in films}
        if image_id in films:
            return films[image_id]
        if image_id in names:
            return films[names[image_id]]
        near = difflib.get_close_matches(image_id, [*films, *names], n=1)
        known = ", ".join(f"{key} ({name})" for name, key in names.items()) or "none: add a film first"
        hint = f"Did you mean {near[0]}? " if near else ""
        raise BadArguments(f"No film of this session has the id {image_id!r}.", f"{hint}Known ids: {known}.")

    def name(self, image_id: str) -> str:
        """The display name of a film: "film 1" for the first one added.

        Raises:
            BadArguments: no film has that id.
        """
        return f"film {self._numbers[self.get(image_id).id]}"

    def ids(self) -> tuple[str, ...]:
        """The ids in order of adding."""
        with self._lock:
            return tuple(self._films)

    def remove(self, image_id: str) -> None:
        """Forget a film and give its bytes back; the other films keep their names.

        Raises:
            BadArguments: no film has that id.
        """
        film = self.get(image_id)
        with self._lock:
            if self._films.pop(film.id, None) is not None:
                self._bytes -= film.pixels.nbytes

    @property
    def used_bytes(self) -> int:
        """Bytes of pixels held."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._films)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._films
