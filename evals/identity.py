"""What a run is: answers are reused only where questions, planner, settings, tools, models and code are the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from agent.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
ANSWERING_ROOMS = ("agent", "tools", "prompts", "models", "imaging")
"""Packages whose files can change an answer. evals is not among them: grading is done anew each time."""
ANSWERING_SUFFIXES = {".py", ".toml", ".md", ".safetensors"}
WEIGHTS = "weights"
RUN_FILE = "run.json"


class RunIdentity(BaseModel):
    """Everything that decides an answer, as far as it can be read off before the first question."""

    model_config = ConfigDict(frozen=True)

    task: str
    dataset_sha256: str
    planner: str
    agent: str
    settings: dict[str, Any]
    tools: list[str]
    models: dict[str, str]
    code_sha256: str
    baseline: str = ""

    @property
    def key(self) -> str:
        """Hash of all fields; names the folder of the run."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def differs_from(self, folder: Path) -> list[str]:
        """Fields in which the run kept in `folder` is another one; none if it cannot be read."""
        try:
            other = RunIdentity.model_validate_json((folder / RUN_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [name for name in RunIdentity.model_fields if getattr(self, name) != getattr(other, name)]


def identify(task: str, dataset_sha256: str, settings: Settings, agent: object, baseline: str = "") -> RunIdentity:
    """The identity of asking `agent` a data set.

    Args:
        task: the benchmark's name.
        dataset_sha256: hash of its questions and films.
        settings: the settings in force.
        agent: an Agent, or any object with its session(); only an Agent tells its tools and models.
        baseline: the stand-in and its seed; empty for the agent as it is.
    """
    return RunIdentity(
        task=task,
        dataset_sha256=dataset_sha256,
        planner=planner_of(agent, settings),
        agent=f"{type(agent).__module__}.{type(agent).__qualname__}",
        settings=settings.told(),
        tools=sorted(tool.name for tool in getattr(agent, "tools", ())),
        models=_models(agent),
        code_sha256=code_digest(),
        baseline=baseline,
    )


def planner_of(agent: object, settings: Settings) -> str:
    """The planner's name as answers give it."""
    return str(getattr(agent, "planner_name", settings.planner))


def code_digest() -> str:
    """Hash of every file that can change an answer, shipped weights included (about 15 MB: some 30 ms)."""
    return hashlib.sha256(json.dumps(digests(), sort_keys=True).encode()).hexdigest()


def digests() -> dict[str, str]:
    """Hash of each room's files that can change an answer, and of the shipped weights."""
    made = {room: hashlib.sha256() for room in (*ANSWERING_ROOMS, WEIGHTS)}
    for room in ANSWERING_ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            relative = path.relative_to(ROOT)
            if path.suffix in ANSWERING_SUFFIXES and "recipes" not in relative.parts and path.is_file():
                digest = made[WEIGHTS if path.suffix == ".safetensors" else room]
                digest.update(f"{relative}\n".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return {name: digest.hexdigest() for name, digest in made.items()}


def _models(agent: object) -> dict[str, str]:
    """Task -> id of the model that answers for it now; pulled weights change it."""
    pool = getattr(agent, "models", None)
    if pool is None:
        return {}
    needed = sorted({task for tool in getattr(agent, "tools", ()) for task in tool.needs})
    return {str(task): pool.resolve(task).id for task in needed if pool.serves(task)}
