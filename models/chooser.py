"""Who answers a task: the model asked for, the user's choice, or the best one that is here and allowed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from imaging.failures import BadArguments, HilumFailure, Unavailable
from models.catalog import PROFILES, Catalog, CatalogEntry
from models.outputs import Task
from models.weights import Presence, locate
from models.worker.conditions import Conditions


class Chooser:
    """The catalog with what is known of each model's weights here; loads nothing.

    Args:
        catalog: the models known.
        model_dir: where downloaded weights lie; torchxrayvision's own directory by default.
        profile: "embedded", "standard" or "full"; models beyond it are not used.
        choices: task -> catalog id, for the tasks whose model the user chose.
        trust_remote_code: "id@revision, ..." of models whose own code may run.

    Raises:
        BadArguments: an unknown profile, a choice that names an unknown task, an unknown id or a model that does not
            serve the task, or trust that is not id@revision.
    """

    def __init__(
        self,
        catalog: Catalog,
        model_dir: Path | None,
        profile: str,
        choices: Mapping[str, str],
        trust_remote_code: str = "",
    ) -> None:
        if profile not in PROFILES:
            raise BadArguments(f"There is no profile {str(profile)!r}.", f"Use {', '.join(PROFILES)}.")
        self.catalog = catalog
        self.profile = str(profile)
        self._model_dir = model_dir
        self.conditions = Conditions(model_dir, trust_remote_code)
        self._choices = self._checked(choices)
        self._lock = threading.Lock()
        self._loaded: dict[str, Presence] = {}
        self._refused: dict[str, tuple[object, HilumFailure]] = {}

    def resolve(self, task: Task, model_id: str | None = None) -> CatalogEntry:
        """The model that answers a task; see ModelPool.resolve."""
        task = Task(task)
        named = model_id or self._choices.get(task)
        if named is not None:
            entry = self._serving(task, named)
            self._require(entry)
            return entry
        candidates = self.catalog.serving(task)
        allowed = [entry for entry in candidates if entry.allowed_in(self.profile) and not entry.on_request]
        for entry in allowed:
            if self.presence(entry).present:
                return entry
        if not allowed:
            offered = next((entry for entry in candidates if not entry.on_request), None)
            larger = f"Use --profile {offered.profile}. {self.presence(offered).remedy}" if offered else ""
            raise Unavailable(
                f"No model of profile {self.profile!r} serves {task.value}.",
                larger.strip() or "Choose another task.",
            )
        presence = self.presence(allowed[0])
        raise Unavailable(f"No model that serves {task.value} is here: {presence.reason}.", presence.remedy)

    def presence(self, entry: CatalogEntry) -> Presence:
        """What is in memory, else what lies on disk, unless that very file was found not to load.

        An ensemble is here when all its members are.
        """
        for member in entry.members:
            found = self.presence(self.catalog.get(member))
            if not found.present:
                return Presence(False, None, f"its member {member} is not here: {found.reason}", found.remedy)
        if entry.members:
            return Presence(True, None)
        with self._lock:
            loaded, refused = self._loaded.get(entry.id), self._refused.get(entry.id)
        if loaded is not None:
            return loaded
        presence = locate(entry, self._model_dir)
        if presence.present and refused is not None and refused[0] == _identity(presence.path):
            return Presence(False, presence.path, refused[1].message.rstrip("."), refused[1].hint)
        if presence.present and presence.path is not None:
            reason, remedy = self.conditions.fault(entry, presence.path)
            if reason:
                return Presence(False, presence.path, reason, remedy)
        return presence

    def keep(self, entry: CatalogEntry, presence: Presence) -> None:
        """Remember where the weights in memory came from."""
        with self._lock:
            self._loaded[entry.id] = presence

    def forget(self, model_id: str) -> None:
        """The weights are no longer in memory: what lies on disk counts again."""
        with self._lock:
            self._loaded.pop(model_id, None)

    def refuse(self, entry: CatalogEntry, presence: Presence, failure: HilumFailure) -> None:
        """Remember that this very file does not load; a file put in its place is tried anew."""
        with self._lock:
            self._refused[entry.id] = (_identity(presence.path), failure)

    def _checked(self, choices: Mapping[str, str]) -> dict[Task, str]:
        checked = {}
        for name, model_id in choices.items():
            if name not in list(Task):
                raise BadArguments(f"There is no task {name!r} to choose a model for.", f"Tasks: {', '.join(Task)}.")
            checked[Task(name)] = self._serving(Task(name), model_id).id
        return checked

    def _serving(self, task: Task, model_id: str) -> CatalogEntry:
        entry = self.catalog.get(model_id)
        if task not in entry.tasks:
            able = ", ".join(other.id for other in self.catalog.serving(task)) or "none"
            raise BadArguments(f"{model_id} does not serve {task.value}.", f"Models that do: {able}.")
        return entry

    def _require(self, entry: CatalogEntry) -> None:
        if not entry.allowed_in(self.profile):
            raise Unavailable(
                f"{entry.id} belongs to profile {entry.profile!r}; this is {self.profile!r}.",
                f"Use --profile {entry.profile}, or another model.",
            )
        presence = self.presence(entry)
        if not presence.present:
            raise Unavailable(f"{entry.id} is not here: {presence.reason}.", presence.remedy)


def _identity(path: Path | None) -> object:
    """What tells a replaced file from the one seen before."""
    if path is None or not path.exists():
        return None
    facts = path.stat()
    return (path, facts.st_size, facts.st_mtime_ns)
