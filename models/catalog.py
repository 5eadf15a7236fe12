"""The catalog: every model Hilum knows, what it is for and where its weights come from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from rapidfuzz import process

from imaging.failures import BadArguments
from models.outputs import Task

SHIPPED = Path(__file__).parent / "catalog.toml"
"""The catalog of the repository."""

PROFILES = ("embedded", "standard", "full")
"""From the smallest to the largest; a profile allows its own models and those before it."""

NEAREST = 3
"""Ids offered when an unknown one is asked for."""

PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[a-z0-9_,-]+\])?==[A-Za-z0-9][A-Za-z0-9.+!_-]*")
"""A requirement with its version (PEP 508, without markers and addresses)."""

ENSEMBLE = "ensemble:"
"""How the id of a mean of classifiers that a user names begins; their ids follow, joined by "+"."""

HUB_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""Files of a hub repository that transformers reads; weights as safetensors only, which hold no code."""


class SourceKind(StrEnum):
    """Where weights come from."""

    EMBEDDED = "embedded"
    """In this repository, models/embedded; the card beside them names their sha256."""
    URL = "url"
    """One file at an address; it is put into the model directory by the user."""
    HUB = "hub"
    """A hub repository at a revision."""
    PACKAGE = "package"
    """A Python package that holds the weights in a folder of its own."""
    MEMBERS = "members"
    """None of its own: the mean of other models of the catalog."""
    USER = "user"
    """A file or folder that only the user has; it lies in the model directory."""


class Source(BaseModel):
    """Where the weights of one model come from, and what they must be.

    Attributes:
        file: file name in models/embedded or the model directory; the name of a folder for some of kind "user", and for
            kind "package" of the folder within it.
        package: the Python package that holds the weights.
        note: why there is no sha256, in words, where there is none.
        minimum_bytes: size of the weights proper; a smaller file is a broken one. 0 where not known.
        more: further files of a URL source, file name -> address.
        patterns: which files of a hub repository are needed, as shell patterns.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: SourceKind
    file: str = ""
    url: str | None = None
    repo: str | None = None
    package: str | None = None
    revision: str | None = None
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    note: str = ""
    minimum_bytes: int = Field(default=0, ge=0)
    more: dict[str, str] = Field(default_factory=dict)
    patterns: tuple[str, ...] = HUB_FILES

    @model_validator(mode="before")
    @classmethod
    def _name_file(cls, values: dict[str, object]) -> dict[str, object]:
        url = values.get("url")
        if isinstance(url, str) and not values.get("file"):
            return {**values, "file": PurePosixPath(urlsplit(url).path).name}
        return values

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {
            SourceKind.URL: self.url,
            SourceKind.HUB: self.repo and self.revision,
            SourceKind.PACKAGE: self.package and self.file,
            SourceKind.MEMBERS: True,
        }.get(self.kind, self.file)
        if not needed:
            raise ValueError(f"a source of kind {self.kind.value!r} needs its url, repo and revision, package, or file")
        for name in (self.file, *self.more):
            if PurePosixPath(name).name != name:
                raise ValueError(f"source file {name!r}: give a file name without folders")
        if self.kind is not SourceKind.EMBEDDED and self.sha256 is None and not self.note:
            raise ValueError("a source without sha256 needs a note that says so")
        return self


class WorkerNeeds(BaseModel):
    """What a model needs that runs in an environment and a process of its own (docs/design/worker.md).

    Attributes:
        runner: file in models/worker/runners that asks the model there, without ".py".
        requirements: packages of its environment, each pinned ("name==version"); no addresses, no options.
        imports: modules whose import shows that the environment works.
        remote_code: whether the model's repository brings code that must run; only with the user's word.
        python: version of Python where not any will do ("3.10").
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    runner: str = Field(pattern="^[a-z][a-z0-9_]*$")
    requirements: tuple[str, ...] = Field(min_length=1)
    imports: tuple[str, ...] = Field(min_length=1)
    remote_code: bool = False
    python: str = Field(default="", pattern=r"^(3\.1\d)?$")

    @field_validator("requirements")
    @classmethod
    def _pinned(cls, requirements: tuple[str, ...]) -> tuple[str, ...]:
        for requirement in requirements:
            if not PINNED.fullmatch(requirement):
                raise ValueError(f"requirement {requirement!r} is not pinned; write name==version")
        return requirements

    @field_validator("imports")
    @classmethod
    def _modules(cls, imports: tuple[str, ...]) -> tuple[str, ...]:
        for name in imports:
            if not all(part.isidentifier() for part in name.split(".")):
                raise ValueError(f"{name!r} is no module's name")
        return imports


class CatalogEntry(BaseModel):
    """One model.

    Attributes:
        tasks: what it serves.
        adapter: module of models.adapters that runs it.
        profile: the smallest profile that allows it.
        weights: the name by which the adapter's library knows these weights, if it has one.
        memory_mb: device memory of the weights alone, by dtype; "int8" and "int4" where it can be quantised.
        gpu_dtype: the dtype in which its weights are read for a GPU unless the user chose another; a network read in
            float32 keeps the weights of its products in two bytes there all the same (models.numerics).
        on_request: never chosen by itself, only by its id.
        audit: for audits of fairness alone; not in the catalog unless the user turned audits on.
        input_size: side of the square the network sees, pixels.
        labels: what it scores or draws, in the library's own words; positions without a meaning left out.
        worker: what it needs where it cannot run in Hilum's own environment.
        members: the catalog ids of the classifiers whose mean it is (models.ensemble); it has no adapter module then.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern="^[a-z0-9][a-z0-9_.:+-]*$")
    title: str
    tasks: tuple[Task, ...] = Field(min_length=1)
    adapter: str
    profile: str = Field(pattern=f"^({'|'.join(PROFILES)})$")
    source: Source
    licence: str
    gated: bool = False
    weights: str = ""
    download_mb: float = Field(ge=0)
    memory_mb: dict[str, float]
    gpu_dtype: str = "float32"
    on_request: bool = False
    audit: bool = False
    input_size: int = Field(gt=0)
    labels: tuple[str, ...] = Field(min_length=1)
    training_data: str
    reference: str
    limits: tuple[str, ...] = ()
    worker: WorkerNeeds | None = None
    members: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.members) != (self.source.kind is SourceKind.MEMBERS):
            raise ValueError("members and a source of kind 'members' belong together")
        return self

    def allowed_in(self, profile: str) -> bool:
        """Whether a profile (embedded, standard, full) allows this model."""
        return PROFILES.index(self.profile) <= PROFILES.index(profile)

    def finding_codes(self) -> tuple[str, ...]:
        """The labels as codes: lower case, underscores ("Lung Opacity" -> "lung_opacity")."""
        return tuple(code_of(label) for label in self.labels)


def code_of(label: str) -> str:
    """A library's label as a finding or structure code: "Pleural_Thickening" -> "pleural_thickening"."""
    return label.strip().lower().replace(" ", "_").replace("-", "_")


class Catalog:
    """Models by id, in order: for each task the best first."""

    def __init__(self, entries: Iterable[CatalogEntry]) -> None:
        self._entries: dict[str, CatalogEntry] = {}
        for entry in entries:
            if entry.id in self._entries:
                raise ValueError(f"the catalog holds {entry.id!r} twice; ids are unique")
            self._entries[entry.id] = entry

    @classmethod
    def read(cls, path: Path = SHIPPED, *, audit: bool = False) -> Catalog:
        """The catalog of a TOML file with one [[model]] table per model, those for audits only where `audit` says so.

        Raises:
            BadArguments: the file is not TOML or an entry is wrong; says which and why.
        """
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8")).get("model", [])
            entries = [CatalogEntry.model_validate(table) for table in tables]
            return cls(entry for entry in entries if audit or not entry.audit)
        except (tomllib.TOMLDecodeError, ValidationError, ValueError) as error:
            raise BadArguments(
                f"{path} is not a usable catalog: {error}", "See models/catalog.toml for the form."
            ) from error

    def get(self, model_id: str) -> CatalogEntry:
        """The model of that id, or the mean of classifiers asked for as "ensemble:ID+ID".

        Raises:
            BadArguments: there is none, with the nearest ids; or the members of an ensemble cannot be one.
        """
        if model_id.startswith(ENSEMBLE):
            return self._mean_of(model_id)
        if model_id not in self._entries:
            near = ", ".join(name for name, *_ in process.extract(model_id, list(self._entries), limit=NEAREST))
            raise BadArguments(
                f"No model has the id {model_id!r}.", f"Nearest: {near}." if near else "The catalog is empty."
            )
        return self._entries[model_id]

    def _mean_of(self, model_id: str) -> CatalogEntry:
        members = [self.get(name) for name in model_id.removeprefix(ENSEMBLE).split("+")]
        unfit = [entry.id for entry in members if entry.members or Task.CLASSIFY not in entry.tasks]
        if len({entry.id for entry in members}) < max(2, len(members)) or unfit:
            why = f"{unfit[0]} is no single classifier" if unfit else "its members must be two or more different models"
            raise BadArguments(f"{model_id!r} is no ensemble: {why}.", "Write ensemble:ID+ID, with ids of classifiers.")
        return CatalogEntry(
            id=model_id,
            title=f"Mean of {', '.join(entry.id for entry in members)}",
            tasks=(Task.CLASSIFY,),
            adapter="ensemble",
            profile=max((entry.profile for entry in members), key=PROFILES.index),
            source=Source(kind=SourceKind.MEMBERS, note="those of its members"),
            licence="; ".join(dict.fromkeys(entry.licence for entry in members)),
            gated=any(entry.gated for entry in members),
            download_mb=round(sum(entry.download_mb for entry in members), 1),
            memory_mb={"float32": round(sum(entry.memory_mb["float32"] for entry in members), 1)},
            on_request=True,
            input_size=max(entry.input_size for entry in members),
            labels=tuple(dict.fromkeys(label for entry in members for label in entry.labels)),
            training_data="that of its members",
            reference="models/ensemble.py",
            members=tuple(entry.id for entry in members),
        )

    def serving(self, task: Task) -> tuple[CatalogEntry, ...]:
        """Every model of a task, best first."""
        return tuple(entry for entry in self if task in entry.tasks)

    def __iter__(self) -> Iterator[CatalogEntry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, model_id: object) -> bool:
        return model_id in self._entries
