"""What there is to download for a catalog model: its files, their sizes and checksums, and the revision they are of."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass
from pathlib import PurePosixPath

from huggingface_hub import HfApi, get_token, hf_hub_url
from huggingface_hub.errors import GatedRepoError, HTTPError, RepositoryNotFoundError, RevisionNotFoundError

from imaging.failures import BadArguments, Unavailable
from models.catalog import CatalogEntry, SourceKind
from models.fetch.transfer import CONNECT_TIMEOUT_S, TOKEN_HINT, RemoteFile

LISTING_TIMEOUT_S = 2 * CONNECT_TIMEOUT_S
"""Of a hub's listing of a repository: without a network that must be said soon too."""


@dataclass(frozen=True)
class Remote:
    """A model as its source offers it now.

    Attributes:
        revision: the commit of a hub repository, else what the catalog says.
        headers: to send with each request.
    """

    files: tuple[RemoteFile, ...]
    revision: str
    headers: dict[str, str]


def look_up(entry: CatalogEntry) -> Remote:
    """The files of a model. A URL source is known from the catalog; a hub is asked, within LISTING_TIMEOUT_S.

    Raises:
        BadArguments: the model is not downloaded at all: it is shipped, or only the user has it.
        Unavailable: the hub does not answer, has no such repository or revision, or wants a licence accepted first.
    """
    source = entry.source
    if source.kind is SourceKind.URL and source.url:
        files = [RemoteFile(source.file, source.url, None, source.sha256)]
        files += [RemoteFile(name, url) for name, url in source.more.items()]
        return Remote(tuple(files), source.revision or "", {})
    if source.kind is SourceKind.HUB and source.repo:
        return _hub(entry, source.repo, source.revision or "main")
    where = {SourceKind.EMBEDDED: "is part of Hilum", SourceKind.PACKAGE: "is a Python package"}.get(
        source.kind, "is supplied by you"
    )
    raise BadArguments(f"{entry.id} {where}; there is nothing to download.", entry.source.note)


def _hub(entry: CatalogEntry, repo: str, revision: str) -> Remote:
    token = get_token()
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token or False)
    try:
        info = api.model_info(repo, revision=revision, files_metadata=True, timeout=LISTING_TIMEOUT_S)
    except GatedRepoError as error:
        raise Unavailable(f"{repo} asks you to accept its licence first ({entry.licence}).", TOKEN_HINT) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise Unavailable(f"{repo} at {revision} is not to be found, or not open to you.", TOKEN_HINT) from error
    except (HTTPError, OSError) as error:
        raise Unavailable(
            f"The hub of {repo} does not answer: {type(error).__name__}.",
            "Check the connection, or set HILUM_MODEL_DIR to a folder that holds the model.",
        ) from error
    commit = info.sha or revision
    wanted = [
        item for item in info.siblings or [] if any(fnmatch.fnmatch(item.rfilename, p) for p in entry.source.patterns)
    ]
    if not wanted:
        raise Unavailable(
            f"{repo} at {commit[:12]} has none of {', '.join(entry.source.patterns)}.", "Its layout has changed."
        )
    for item in wanted:
        if PurePosixPath(item.rfilename).is_absolute() or ".." in PurePosixPath(item.rfilename).parts:
            raise Unavailable(f"{repo} names a file outside its folder: {item.rfilename!r}.", "Do not use this source.")
    files = tuple(
        RemoteFile(
            item.rfilename,
            hf_hub_url(repo, item.rfilename, revision=commit, endpoint=os.environ.get("HF_ENDPOINT")),
            item.size,
            item.lfs.sha256 if item.lfs else None,
        )
        for item in wanted
    )
    return Remote(files, commit, {"Authorization": f"Bearer {token}"} if token else {})
