"""The ray runtime's settings: a TOML file, checked."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imaging.failures import BadArguments

SHIPPED = Path(__file__).with_name("ray.toml")
"""The configuration in the repository, in force where the user names no other."""

LOCAL = "local"


class ModelShare(BaseModel):
    """What one model gets.

    Attributes:
        replicas: processes that hold a copy of it.
        num_cpus, num_gpus: what each replica claims; fractions share a core or a GPU.
        max_batch, max_wait_ms: films in one batch of a replica, and how long one that is not full waits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    replicas: int = Field(default=1, ge=1)
    num_cpus: float = Field(default=0.1, ge=0)
    num_gpus: float = Field(default=0.0, ge=0)
    max_batch: int = Field(default=8, ge=1)
    max_wait_ms: float = Field(default=10.0, ge=0)


class FilmShare(BaseModel):
    """What `hilum batch` gets: `actors` processes that open films and run tools, each claiming `num_cpus`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    actors: int = Field(default=2, ge=1)
    num_cpus: float = Field(default=0.1, ge=0)


class ClusterConfig(BaseModel):
    """The whole file.

    Attributes:
        address: "local" starts Ray in this machine; "auto" or "HOST:PORT" joins one that runs.
        num_cpus, object_store_mb: of a local Ray; None counts every core.
        start_timeout_s: longest wait for a model's replicas.
        default, models: what a model gets that has no table of its own; by catalog id.
        films: what `hilum batch` gets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = LOCAL
    num_cpus: int | None = Field(default=None, ge=1)
    object_store_mb: int = Field(default=512, ge=80)
    start_timeout_s: float = Field(default=300.0, gt=0)
    default: ModelShare = ModelShare()
    models: dict[str, ModelShare] = Field(default_factory=dict)
    films: FilmShare = FilmShare()

    @classmethod
    def read(cls, path: Path | None = None) -> ClusterConfig:
        """The configuration of a file; the repository's own where none is named.

        Raises:
            BadArguments: it is not there, no TOML, or a line is wrong; says which and why.
        """
        path = path or SHIPPED
        try:
            return cls.model_validate(tomllib.loads(path.expanduser().read_text(encoding="utf-8")))
        except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
            raise BadArguments(
                f"{path} is not a usable configuration of the ray runtime: {error}", f"See {SHIPPED} for the form."
            ) from error

    def share(self, model_id: str) -> ModelShare:
        """What a model gets."""
        return self.models.get(model_id, self.default)
