"""Settings: hilum.toml, then HILUM_* environment variables, then what the caller passes; each knows its origin."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from models.numerics import CPU_DTYPES, GPU_DTYPES, Numerics

SETTINGS_FILE = "hilum.toml"
ENVIRONMENT_PREFIX = "HILUM_"
LOGIN_OR_PATH = re.compile(r"(@https?://)[^/@,\s]*@|(?<=transformers:)[^,]*/")
"""What a planner's name may hold that nobody else should read: a login before a host, the folder a model lies in."""


class Profile(StrEnum):
    """Which catalog models may be used; `embedded` never touches the network."""

    EMBEDDED = "embedded"
    STANDARD = "standard"
    FULL = "full"


class Runtime(StrEnum):
    """Where models run: in this process, or in replicas of Ray Serve."""

    LOCAL = "local"
    RAY = "ray"


class Settings(BaseSettings):
    """What a user may set. Unknown keys in hilum.toml are refused with their names."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, toml_file=SETTINGS_FILE, extra="forbid", frozen=True
    )

    planner: str = Field(
        default="embedded",
        description="embedded, or provider:model as LangChain names it; several with commas are asked in order",
    )
    planner_base_url: str | None = Field(
        default=None, description="the first planner's server instead of its provider's, e.g. one of your own"
    )
    planner_sees: bool | None = Field(
        default=None, description="whether the planner takes pictures; as LangChain's facts of it say when left out"
    )
    send_films: bool = Field(
        default=False,
        description="show a planner that sees the films: they leave this machine, text on them blacked out",
    )
    planner_timeout_s: float = Field(default=60.0, gt=0, description="longest wait for one planner reply")
    max_context_tokens: int | None = Field(
        default=None, ge=200, description="tokens of conversation an LLM is told; 0.7 of what it reads when left out"
    )
    structured_claims: bool = Field(
        default=False, description="an LLM gives its answer as statements with evidence, not as prose with citations"
    )
    ask_before: tuple[str, ...] = Field(
        default=(), description="tools that run only when the user allows each call; * for all"
    )
    profile: Profile = Field(default=Profile.STANDARD, description="embedded, standard or full")
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N")
    runtime: Runtime = Field(default=Runtime.LOCAL, description="local, or ray: replicas of Ray Serve (docs/scale.md)")
    ray_config: Path | None = Field(default=None, description="TOML file of the ray runtime; models/cluster/ray.toml")
    model_dir: Path | None = Field(default=None, description="where downloaded weights lie; may be read-only")
    models: dict[str, str] = Field(default_factory=dict, description="task -> catalog id, where the choice matters")
    cpu_dtype: str = Field(default="float32", description=f"what networks compute in there: {', '.join(CPU_DTYPES)}")
    gpu_dtype: str = Field(default="auto", description=f"the same on a GPU: {', '.join(GPU_DTYPES)}")
    compile: bool = Field(default=False, description="networks through torch.compile: minutes at first, faster after")
    memory_budget_mb: float | None = Field(default=None, gt=0, description="most megabytes of weights on each device")
    max_batch: int | None = Field(default=None, ge=1, description="most films that go through a network together")
    max_wait_ms: float | None = Field(default=None, ge=0, description="how long a batch that is not full waits")
    model_timeout_s: float | None = Field(default=None, gt=0, description="longest wait for a model's answer")
    cache_mb: float = Field(default=256, ge=0, description="outputs of models kept in memory")
    cache_dir: Path | None = Field(default=None, description="folder of outputs kept between runs; none by default")
    cache_disk_mb: float = Field(default=2048, ge=0, description="most megabytes of that folder")
    audit: bool = Field(default=False, description="offer models for audits of fairness (recorded race); by id only")
    trust_remote_code: str = Field(
        default="", description="id@revision, ...: models whose own code may run, in an isolated worker"
    )
    state_dir: Path = Field(default=Path("~/.hilum"), description="where keys and sessions are kept")
    memory: str | None = Field(
        default=None,
        description="where sessions are kept: process (nowhere), a file, or postgresql://…; chat and server keep them "
        "in state_dir, all else in the process",
    )
    max_planner_calls: int = Field(default=8, ge=1, description="planner replies in one turn")
    max_tool_calls: int = Field(default=24, ge=1, description="tool calls in one turn")
    max_turn_s: float | None = Field(default=None, gt=0, description="seconds for one turn")
    max_turn_tokens: int | None = Field(
        default=None, ge=1, description="tokens of the planner, in and out, in one turn"
    )
    max_turn_usd: float | None = Field(default=None, gt=0, description="cost of the planner in one turn; needs prices")
    planner_usd_per_million: tuple[float, float] | None = Field(
        default=None, description="price of a million tokens read and written, e.g. [1.25, 10.0]"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Caller over environment over hilum.toml over default."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def numerics(self) -> Numerics:
        """How networks compute; BadArguments for an unknown number format."""
        return Numerics(self.cpu_dtype, self.gpu_dtype, self.compile)

    def told(self) -> dict[str, Any]:
        """The settings as a record may hold them: without where things lie on this machine, and without logins."""
        values = self.model_dump(mode="json", exclude={"state_dir", "memory"})
        values["planner"] = LOGIN_OR_PATH.sub(r"\1", values["planner"])
        if values["planner_base_url"]:
            parts = urlsplit(values["planner_base_url"])
            values["planner_base_url"] = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
        return values

    def origins(self) -> dict[str, str]:
        """Where each value in force came from: "given", "environment HILUM_X", "hilum.toml" or "default"."""
        in_file: dict[str, Any] = TomlConfigSettingsSource(type(self))()
        origins = {}
        for name in type(self).model_fields:
            variable = f"{ENVIRONMENT_PREFIX}{name.upper()}"
            if name in self.model_fields_set and variable in os.environ and self._equals_environment(name, variable):
                origins[name] = f"environment {variable}"
            elif name in self.model_fields_set and name in in_file:
                origins[name] = SETTINGS_FILE
            elif name in self.model_fields_set:
                origins[name] = "given"
            else:
                origins[name] = "default"
        return origins

    def _equals_environment(self, name: str, variable: str) -> bool:
        return str(getattr(self, name)) == os.environ[variable]
