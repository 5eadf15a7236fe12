"""The pool: models by task, loaded when first needed, once, and shared by everyone."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from imaging.failures import BadArguments, Unavailable
from imaging.radiograph import Radiograph
from models import ensemble
from models.card import ModelCard
from models.catalog import Catalog, CatalogEntry
from models.chooser import Chooser
from models.describe import describe
from models.device import choose_all, memory_budgets
from models.lane import NotInTime
from models.metrics import Metrics
from models.numerics import Numerics
from models.outputs import Output, Task
from models.placement import Placement
from models.predictions import DiskCache, Prediction, PredictionCache, PredictionKey, seal
from models.request import Question, Request
from models.serving import LocalServing, Serving, Waiting, deadline
from models.stopping import called_off

CACHE_BYTES = 256 << 20
"""Outputs kept in memory: the masks of about a dozen full-size films, or the scores of very many."""

CACHE_DISK_BYTES = 2 << 30
"""Outputs kept on disk where the user names a folder for them."""

RUNTIMES = ("local", "ray")
"""Where models run."""


@dataclass(frozen=True)
class ModelStatus:
    """What `hilum doctor` says of one model.

    Attributes:
        allowed: whether the profile allows it.
        present, reason, remedy: whether its weights are usable here, why not, and what to do.
        first_for: tasks that the pool would give to this model now.
        loaded: whether it is in memory; `device` says where.
    """

    id: str
    title: str
    tasks: tuple[Task, ...]
    profile: str
    allowed: bool
    licence: str
    present: bool
    reason: str
    remedy: str
    first_for: tuple[Task, ...]
    loaded: bool
    device: str | None


class ModelPool:
    """Answers tasks with catalog models; safe to share between threads and sessions.

    Requests of all callers for one model go through it together, in batches (models.lane); models share each device's
    memory, the least recently used going first (models.placement); what was computed once is remembered.

    Args:
        catalog: the models known; the repository's own by default.
        device: "auto" or "cuda" (every GPU), "cpu" or "cuda:N"; looked up when the first model loads.
        model_dir: where downloaded weights lie; torchxrayvision's own directory by default.
        profile: "embedded", "standard" or "full"; models beyond it are not used.
        choices: task -> catalog id, for the tasks whose model the user chose.
        cache_bytes: most bytes of outputs kept in memory.
        cache_dir, cache_disk_bytes: where outputs are kept between runs, and how much; no folder keeps none.
        numerics: number formats on processor and GPU, and whether networks are compiled.
        memory_budget_mb: most megabytes of weights per device; None takes most of what is there.
        max_batch, max_wait_ms: films in one batch, and how long one that is not full waits; None suits the device.
        timeout_s: longest wait of a caller that names none; None waits as long as it takes.
        trust_remote_code: "id@revision, ..." of models whose own code may run in an isolated worker.
        runtime: "local" computes in this process, "ray" in replicas of Ray Serve (docs/scale.md).
        ray_config: TOML file of the ray runtime; the repository's own where none is named.

    Attributes:
        metrics: what happened so far.
        numerics: how networks compute.

    Raises:
        BadArguments: an unknown profile, a choice that names an unknown task, an unknown id or a model that does not
            serve the task, or trust that is not id@revision.
    """

    def __init__(
        self,
        catalog: Catalog | None = None,
        *,
        device: str = "auto",
        model_dir: Path | None = None,
        profile: str = "standard",
        choices: Mapping[str, str] | None = None,
        cache_bytes: int = CACHE_BYTES,
        cache_dir: Path | None = None,
        cache_disk_bytes: int = CACHE_DISK_BYTES,
        numerics: Numerics | None = None,
        memory_budget_mb: float | None = None,
        max_batch: int | None = None,
        max_wait_ms: float | None = None,
        timeout_s: float | None = None,
        trust_remote_code: str = "",
        runtime: str = "local",
        ray_config: Path | None = None,
    ) -> None:
        if runtime not in RUNTIMES:
            raise BadArguments(f"There is no runtime {runtime!r}.", f"Use {' or '.join(RUNTIMES)}.")
        self._chooser = Chooser(catalog or Catalog.read(), model_dir, profile, choices or {}, trust_remote_code)
        self._requested = device
        self.numerics = numerics or Numerics()
        self._timeout_s = timeout_s
        self._budget_mb = memory_budget_mb
        self._max_batch = max_batch
        self._max_wait_s = None if max_wait_ms is None else max_wait_ms / 1000
        self._cache = PredictionCache(cache_bytes)
        self._disk = DiskCache(cache_dir, cache_disk_bytes) if cache_dir else None
        self.metrics = Metrics()
        self._starting = threading.Lock()
        self._serving: Serving | None = None
        self._ray = self._ray_serving(ray_config, model_dir, trust_remote_code) if runtime == "ray" else None
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="hilum-prefetch")

    @property
    def catalog(self) -> Catalog:
        """The models known to this pool."""
        return self._chooser.catalog

    @property
    def device(self) -> str:
        """Where models run first: "cpu" or "cuda:N". Unavailable when the device asked for is not here."""
        return self._started().devices[0]

    def serves(self, task: Task) -> bool:
        """Whether some model answers the task now: the chosen one, or any present one that the profile allows."""
        try:
            self.resolve(task)
        except Unavailable:
            return False
        return True

    def resolve(self, task: Task, model_id: str | None = None) -> CatalogEntry:
        """The model that answers a task: the one asked for, else the user's choice, else the first of the catalog.

        The catalog lists the best first; the first one that is present and allowed by the profile is taken. A model
        that was named is never replaced by another.

        Raises:
            BadArguments: the id is unknown, or that model does not serve the task.
            Unavailable: the named model, or every model of the task, is absent or beyond the profile; with the remedy.
        """
        return self._chooser.resolve(task, model_id)

    def card(self, model_id: str) -> ModelCard:
        """A model's card, without loading the model.

        Raises:
            BadArguments: the id is unknown.
            Unavailable: the card lies with weights that are not here.
        """
        entry = self.catalog.get(model_id)
        if entry.members:
            return ensemble.card_of(entry, [self.card(member) for member in entry.members])
        loaded = self._serving.card(entry.id) if self._serving else None
        return loaded if loaded is not None else describe(entry, self._chooser.presence(entry))

    def predict(
        self,
        task: Task,
        films: Sequence[Radiograph],
        *,
        model_id: str | None = None,
        question: Question | None = None,
        timeout_s: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> list[Prediction]:
        """One prediction per film, in order; a film asked of the same model before costs nothing.

        Args:
            task: what is wanted.
            films: of any sizes.
            model_id: in place of the choice and the catalog's order.
            question: what is asked about each film, for tasks that read one.
            timeout_s, cancelled: when to stop waiting; what already runs is finished and kept. Work inside
                `models.stopping.stoppable` is called off by its event too.

        Raises:
            BadArguments: as `resolve` does; a question for a task that reads none, or none for one that does.
            Unavailable: as `resolve` does; the weights turn out not to load; the time was up.
        """
        requests = [Request(film, question) for film in films]
        return self.ask(task, requests, model_id=model_id, timeout_s=timeout_s, cancelled=cancelled)

    def ask(
        self,
        task: Task,
        requests: Sequence[Request],
        *,
        model_id: str | None = None,
        timeout_s: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> list[Prediction]:
        """As `predict`, for requests that differ in their questions or have no film (EMBED_TEXT, GENERATE)."""
        task = Task(task)
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        _check(task, requests)
        entry = self.resolve(task, model_id)
        card = self.card(entry.id)
        if entry.members:
            return self._mean(entry, card, requests, timeout_s, cancelled)
        same, how = (entry.id, card.edition, task), self.numerics.key()
        keys = [PredictionKey(item.film_id, *same, item.question_key, how) for item in requests]
        known = {key: found for key in dict.fromkeys(keys) if (found := self._recall(key)) is not None}
        missing = {key: item for key, item in zip(keys, requests, strict=True) if key not in known}
        fresh: dict[PredictionKey, tuple[Output, float | None]] = {}
        if missing:
            waiting = Waiting(deadline(timeout_s), cancelled or called_off())
            try:
                fresh = self._started().compute(entry, card, missing, self._cache.get, waiting)
            except NotInTime as late:
                why = "was cancelled" if str(late) == "cancelled" else f"took longer than {timeout_s:g} s"
                raise Unavailable(f"{entry.id} {why}.", "Ask again; what it computed meanwhile is kept.") from late
        self.metrics.cache_bytes.set(self._cache.size_bytes)
        predictions = []
        for key in keys:
            if key in known:
                (output, source), elapsed_ms = known[key], None
            else:
                output, elapsed_ms = fresh[key]
                source = "memory" if elapsed_ms is None else "computed"
            self.metrics.predictions.labels(entry.id, task.value, source).inc()
            predictions.append(Prediction(output, card, entry.id, card.revision, elapsed_ms is None, elapsed_ms or 0.0))
        return predictions

    def prefetch(self, task: Task, model_id: str | None = None, *, if_room: bool = False) -> Future[None]:
        """Load the model that would answer a task in the background; a failure is told when it is really needed.

        Args:
            task, model_id: as `predict` has them.
            if_room: only a small one that puts no other out of memory (models.serving.PREFETCH_SHARE).
        """
        return self._ahead.submit(self._load, Task(task), model_id, if_room)

    def status(self) -> list[ModelStatus]:
        """Every model of the catalog, in its order. Loads nothing and imports no torch."""
        first: dict[str, list[Task]] = {}
        for task in Task:
            if self.serves(task):
                first.setdefault(self.resolve(task).id, []).append(task)
        return [self._status_of(entry, tuple(first.get(entry.id, ()))) for entry in self.catalog]

    def close(self) -> None:
        """Put every model out of memory and stop isolated workers."""
        self._ahead.shutdown(wait=False, cancel_futures=True)
        if self._serving is not None:
            self._serving.close()

    def _mean(
        self,
        entry: CatalogEntry,
        card: ModelCard,
        requests: Sequence[Request],
        timeout_s: float | None,
        cancelled: threading.Event | None,
    ) -> list[Prediction]:
        """What an ensemble says of each film: its members are asked one after the other, each batched and cached."""
        until = deadline(timeout_s)
        said = []
        for member in entry.members:
            left_s = None if until is None else max(until - time.monotonic(), 0.0)
            said.append(self.ask(Task.CLASSIFY, requests, model_id=member, timeout_s=left_s, cancelled=cancelled))
        return [ensemble.combined(entry, card, one) for one in zip(*said, strict=True)]

    def _load(self, task: Task, model_id: str | None, if_room: bool) -> None:
        entry = self.resolve(task, model_id)
        for one in (self.catalog.get(member) for member in entry.members or (entry.id,)):
            if not if_room or self._started().has_room(one):
                self._started().load(one, self.card(one.id))

    def _started(self) -> Serving:
        """Devices are looked up when the first model is needed: that imports torch."""
        with self._starting:
            if self._serving is None and self._ray is not None:
                self._serving = self._ray
            elif self._serving is None:
                devices = choose_all(self._requested)
                placement = Placement(memory_budgets(devices, self._budget_mb), self.metrics, self._chooser.forget)
                self._serving = LocalServing(
                    devices,
                    self._chooser,
                    placement,
                    self.metrics,
                    self._keep,
                    self.numerics,
                    self._max_batch,
                    self._max_wait_s,
                )
            return self._serving

    def _ray_serving(self, config: Path | None, model_dir: Path | None, trust_remote_code: str) -> Serving:
        """Reads the configuration, so that a wrong line is told at once; Ray itself is imported when needed."""
        from models.cluster.config import ClusterConfig
        from models.cluster.serving import RayServing

        return RayServing(
            ClusterConfig.read(config),
            self.metrics,
            self._keep,
            model_dir,
            self._chooser.profile,
            trust_remote_code,
            self._requested,
            self.numerics,
        )

    def _keep(self, key: PredictionKey, output: Output) -> None:
        self._cache.put(key, seal(output))
        if self._disk is not None:
            self._disk.put(key, output)

    def _recall(self, key: PredictionKey) -> tuple[Output, str] | None:
        """An output at hand and where it was: "memory" or "disk"."""
        output = self._cache.get(key)
        if output is not None:
            return output, "memory"
        if self._disk is None or (output := self._disk.get(key)) is None:
            return None
        self._cache.put(key, seal(output))
        return output, "disk"

    def _status_of(self, entry: CatalogEntry, first_for: tuple[Task, ...]) -> ModelStatus:
        presence = self._chooser.presence(entry)
        where = self._serving.loaded_on(entry.id) if self._serving else ()
        return ModelStatus(
            id=entry.id,
            title=entry.title,
            tasks=entry.tasks,
            profile=entry.profile,
            allowed=entry.allowed_in(self._chooser.profile),
            licence=entry.licence,
            present=presence.present,
            reason=presence.reason,
            remedy=presence.remedy,
            first_for=first_for,
            loaded=bool(where),
            device=", ".join(where) or None,
        )


def _check(task: Task, requests: Sequence[Request]) -> None:
    """A request has what its task reads, and nothing else."""
    for request in requests:
        if task.asks != (request.question is not None):
            need = "needs a question" if task.asks else "takes no question"
            raise BadArguments(f"Task {task.value!r} {need}.", "See models.request.Question.")
        if request.film is None and task not in (Task.EMBED_TEXT, Task.GENERATE):
            raise BadArguments(f"Task {task.value!r} needs a film.")
