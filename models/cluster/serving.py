"""Serving by Ray: one deployment per model, its replicas on one machine or a cluster; the pool above does not change.

Ray is imported when the first model is needed and never otherwise.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from imaging import failures
from imaging.failures import HilumFailure, Unavailable
from models import wire
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.cluster.config import LOCAL, ClusterConfig
from models.lane import CANCEL_POLL_S, NotInTime
from models.metrics import Metrics
from models.numerics import Numerics
from models.outputs import Output
from models.predictions import PredictionKey
from models.request import Request
from models.serving import Waiting

ON_THE_WAY = 64
"""Requests of one process that are with replicas at the same time; more wait here, where they can be cancelled."""

ATTEMPTS = 5
"""Replicas that one request may see die: beyond that the request itself is the likely reason."""

STARTS_SLOWLY = "timed out during startup"
"""What ray.init says where the node it started did not register in 30 s."""

STATUS_POLL_S = 0.25
"""How often a starting deployment is looked at."""

Known = Callable[[PredictionKey], Output | None]
Computed = tuple[Output, float]
"""An output and its share of the replica's batch in ms."""


@dataclass(eq=False)
class _Job:
    """One request on its way, shared by everyone who asks the same; `callers` wait for it."""

    future: Future[Computed]
    callers: int = 0


@dataclass
class RayServing:
    """Runs models in replicas of Ray Serve.

    A call is pure, so one whose replica died is made again on another; its output is kept under its key, once.

    Attributes:
        config: what each model gets.
        model_dir, profile, trust_remote_code, device, numerics: the user's settings, as ModelPool has them.
        keep: called with every new output.
    """

    config: ClusterConfig
    metrics: Metrics
    keep: Callable[[PredictionKey, Output], None]
    model_dir: Path | None = None
    profile: str = "standard"
    trust_remote_code: str = ""
    device: str = "auto"
    numerics: Numerics = field(default_factory=Numerics)
    _applications: dict[str, tuple[str, Any, ModelCard]] = field(default_factory=dict)
    _going: dict[PredictionKey, _Job] = field(default_factory=dict)
    _started_ray: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _deploying: threading.Lock = field(default_factory=threading.Lock)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(ON_THE_WAY, "hilum-ray"))

    @property
    def devices(self) -> tuple[str, ...]:
        """Where models run, in the words of this process: replicas know their own device."""
        return ("ray",)

    def compute(
        self,
        entry: CatalogEntry,
        card: ModelCard,
        wanted: Mapping[PredictionKey, Request],
        known: Known,
        waiting: Waiting,
    ) -> dict[PredictionKey, tuple[Output, float | None]]:
        """Outputs of the requests with each one's time in ms; None for those that another caller's work gave.

        Raises:
            Unavailable: the model does not load in its replicas, they do not start, or they die of the request.
            NotInTime: the caller no longer wanted to wait; what runs already runs on and is kept.
        """
        entered = {key: self._enter(entry, card, key, request, known) for key, request in wanted.items()}
        jobs = {key: job for key, (job, _) in entered.items()}
        try:
            _wait_for([job.future for job in jobs.values()], waiting)
        finally:
            self._drop(jobs)
        done = {key: job.future.result() for key, job in jobs.items()}
        return {key: (output, elapsed_ms if entered[key][1] else None) for key, (output, elapsed_ms) in done.items()}

    def load(self, entry: CatalogEntry, card: ModelCard) -> None:
        """Start a model's replicas, if they do not run yet; each loads its copy by itself."""
        self._handle(entry, card)

    def has_room(self, entry: CatalogEntry) -> bool:
        """False: replicas claim cores of a cluster and are made when somebody asks."""
        del entry
        return False

    def loaded_on(self, model_id: str) -> tuple[str, ...]:
        """("ray",) once the model's replicas run."""
        return self.devices if model_id in self._applications else ()

    def card(self, model_id: str) -> ModelCard | None:
        """The card under which a model was deployed, or None."""
        application = self._applications.get(model_id)
        return application[2] if application else None

    def close(self) -> None:
        """Take down what this process started: the whole of a local Ray; on a cluster replicas stay for the next."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._started_ray:
            import ray

            ray.shutdown()
            self._started_ray = False
        self._applications.clear()

    def _enter(
        self, entry: CatalogEntry, card: ModelCard, key: PredictionKey, request: Request, known: Known
    ) -> tuple[_Job, bool]:
        """The job of a request and whether this caller began it: one on its way, one done, or a new one."""
        with self._lock:
            job, mine = self._going.get(key), False
            if job is None:
                output = known(key)
                mine = output is None
                if output is not None:
                    job = _Job(Future())
                    job.future.set_result((output, 0.0))
                else:
                    job = self._going[key] = _Job(self._threads.submit(self._answer, entry, card, key, request))
            job.callers += 1
            return job, mine

    def _drop(self, jobs: Mapping[PredictionKey, _Job]) -> None:
        """Take this caller off its jobs; those that nobody else waits for and nobody began are not begun."""
        with self._lock:
            for key, job in jobs.items():
                job.callers -= 1
                if job.callers == 0 and job.future.cancel():
                    self._going.pop(key, None)

    def _answer(self, entry: CatalogEntry, card: ModelCard, key: PredictionKey, request: Request) -> Computed:
        """One request's output, from whichever replica lives long enough."""
        try:
            reply = self._asked(entry, card, key, request)
            if "failed" in reply:
                raise as_raised(reply["failed"])
            if "fault" in reply:
                raise RuntimeError(f"{entry.id} failed in a replica:\n{reply['fault']}")
            output = wire.decode(reply["header"], reply["arrays"])
            self.keep(key, output)
            self.metrics.busy_s.labels(entry.id, "ray").inc(reply["elapsed_ms"] / 1000)
            return output, reply["elapsed_ms"]
        finally:
            with self._lock:
                self._going.pop(key, None)

    def _asked(self, entry: CatalogEntry, card: ModelCard, key: PredictionKey, request: Request) -> dict[str, Any]:
        handle = self._handle(entry, card)
        from ray.exceptions import RayActorError
        from ray.serve.exceptions import DeploymentUnavailableError

        for _ in range(ATTEMPTS):
            try:
                reply: dict[str, Any] = handle.remote(key.task.value, card.revision, request).result()
                return reply
            except RayActorError:
                continue
            except DeploymentUnavailableError as error:
                raise Unavailable(
                    f"The replicas of {entry.id} do not run.", "See Ray's logs, or start anew."
                ) from error
        raise Unavailable(
            f"{ATTEMPTS} replicas of {entry.id} died while they computed this film.",
            "Give each replica more memory (num_cpus or num_gpus in ray.toml), or leave the film out.",
        )

    def _handle(self, entry: CatalogEntry, card: ModelCard) -> Any:
        """The handle of a model's deployment, which is made first where none runs."""
        with self._deploying:
            if entry.id not in self._applications:
                self._started_ray |= connect(self.config)
                name = self._name(entry, card)
                self._applications[entry.id] = (name, self._deployed(entry, name), card)
            return self._applications[entry.id][1]

    def _name(self, entry: CatalogEntry, card: ModelCard) -> str:
        """The same for the same model with the same settings, so that processes of a cluster share replicas."""
        facts = [entry.model_dump(mode="json"), card.revision, self.config.share(entry.id).model_dump()]
        facts += [str(self.model_dir), self.profile, self.trust_remote_code, self.device, asdict(self.numerics)]
        return f"hilum-{entry.id}-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]}"

    def _deployed(self, entry: CatalogEntry, name: str) -> Any:
        """Wait until the application of that name runs, started first if nobody has.

        Raises:
            Unavailable: its replicas do not start in time, with what Ray says.
        """
        from ray import serve

        until = time.monotonic() + self.config.start_timeout_s
        if name not in serve.status().applications:
            self._start(entry, name)
        while True:
            status = serve.status().applications.get(name)
            if status is not None and status.status == "RUNNING":
                return serve.get_app_handle(name)
            if status is not None and status.status == "DEPLOY_FAILED":
                raise Unavailable(f"The replicas of {entry.id} do not start: {status.message[:600]}", "See Ray's logs.")
            if time.monotonic() > until:
                said = status.status if status else "not there"
                raise Unavailable(
                    f"The replicas of {entry.id} did not start in {self.config.start_timeout_s:g} s ({said}).",
                    "Ask for fewer or smaller replicas in ray.toml: together they may claim more than there is.",
                )
            time.sleep(STATUS_POLL_S)

    def _start(self, entry: CatalogEntry, name: str) -> None:
        """Tell Serve to run the model's deployment; does not wait for it."""
        from ray import serve

        from models.cluster.replica import Replica, Terms

        share = self.config.share(entry.id)
        device = self.device if share.num_gpus else "cpu"
        deployment = serve.deployment(Replica).options(  # type: ignore[attr-defined]
            name=entry.id,
            num_replicas=share.replicas,
            max_ongoing_requests=2 * share.max_batch,  # one batch computes while the next gathers
            ray_actor_options={"num_cpus": share.num_cpus, "num_gpus": share.num_gpus},
            user_config={"max_batch": share.max_batch, "max_wait_ms": share.max_wait_ms},
        )
        terms = Terms(self.model_dir, self.profile, self.trust_remote_code, device, self.numerics)
        application = deployment.bind(entry.model_dump(mode="json"), terms, share.max_batch)
        target = serve.RunTarget(application, name=name, route_prefix=None)
        serve.run_many([target], wait_for_applications_running=False)


def connect(config: ClusterConfig) -> bool:
    """Join or start Ray and its Serve, without its dashboard, HTTP server or telemetry; whether Ray was started here.

    A local Ray listens on the loopback address alone and asks for a token that only this process and its children know,
    unless the program imported Ray before: then what it set for Ray counts.

    Raises:
        Unavailable: Ray is not installed, or the cluster does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if config.address == LOCAL:  # workers are nice by 15 otherwise: beside any busy program they do not run at all
        os.environ.setdefault("RAY_worker_niceness", "0")
    if config.address == LOCAL and "ray" not in sys.modules:  # Ray reads its variables when it is imported
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # The only switch of ray 2.60 that keeps its sockets off the network, on Linux too (tests/unit/models/test_ray).
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
        from ray import serve
    except ImportError as error:
        raise Unavailable(
            "The ray runtime needs Ray.", "pip install 'hilum[ray]', or leave HILUM_RUNTIME out."
        ) from error
    started = False
    if not ray.is_initialized():
        options: dict[str, Any] = {"address": config.address}
        if config.address == LOCAL:
            started = True
            options |= {
                "num_cpus": config.num_cpus,
                "object_store_memory": config.object_store_mb << 20,
                "include_dashboard": False,
            }
        _begin(config, options)
    serve.start(http_options={"location": "NoServer"})
    logging.getLogger("ray.serve").setLevel(logging.ERROR)  # its warnings on slow replicas go to stderr
    return started


def _begin(config: ClusterConfig, options: dict[str, Any]) -> None:
    """Start or join Ray. Its own wait for a node of this machine is half a minute, too short for a busy one: again."""
    import ray

    until = time.monotonic() + config.start_timeout_s
    while True:
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
            return
        except Exception as error:
            slow = STARTS_SLOWLY in str(error)  # ray 2.60 raises a plain Exception
            if not slow and not isinstance(error, ConnectionError | RuntimeError | ValueError):
                raise
            if not slow or time.monotonic() > until:
                raise Unavailable(
                    f"Ray at {config.address!r} does not answer: {error}",
                    'Start it, or set address = "local" in ray.toml.',
                ) from error
            ray.shutdown()


def _wait_for(futures: Sequence[Future[Computed]], waiting: Waiting) -> None:
    """Until all are done; NotInTime when the caller would rather not."""
    left = set(futures)
    while left:
        if waiting.cancelled is not None and waiting.cancelled.is_set():
            raise NotInTime("cancelled")
        pause = None if waiting.until is None else waiting.until - time.monotonic()
        if pause is not None and pause <= 0:
            raise NotInTime("deadline")
        if waiting.cancelled is not None:
            pause = CANCEL_POLL_S if pause is None else min(pause, CANCEL_POLL_S)
        left = wait(left, timeout=pause).not_done


def as_told(failure: HilumFailure) -> dict[str, str]:
    """A failure for another process, where `as_raised` makes it anew."""
    return {"class": type(failure).__name__, **failure.to_json()}


def as_raised(told: Mapping[str, str]) -> HilumFailure:
    """The failure of another process as it was raised there.

    Args:
        told: by `as_told`.
    """
    kind = getattr(failures, told["class"], HilumFailure)
    made: HilumFailure = kind(told["message"], told["hint"], kind=told["kind"])
    return made
