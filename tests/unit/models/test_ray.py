"""The ray runtime on one machine: two replicas of an embedded model, processes killed on the way (docs/scale.md)."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from catalog_entries import entry
from conftest import MakeFilm
from PIL import Image

from agent.settings import Runtime, Settings
from evals import run_task
from evals.benchmarks import BENCHMARKS, Benchmark
from evals.progress import Silent
from evals.questions import Question, Questions
from evals.records import read_run
from evals.summary import Summary
from imaging.failures import BadArguments, Unavailable
from imaging.phantom import PhantomSpec, make_phantom
from models.catalog import Catalog
from models.cluster.config import ClusterConfig, FilmShare, ModelShare
from models.outputs import Scores, Task
from models.pool import ModelPool
from models.predictions import Prediction
from tools.batches.cohort import Journal, run_cohort
from tools.batches.on_ray import run_cohort_on_ray
from tools.contract.tool import installed

pytestmark = pytest.mark.timeout(600)  # a cluster starts and ends in it

MODEL = "embedded-classifier"
CONFIG = f"""
address = "local"
num_cpus = 2
object_store_mb = 200
start_timeout_s = 120

[default]
num_cpus = 0.1

[models.{MODEL}]
replicas = 2
num_cpus = 0.25
max_batch = 2

[films]
actors = 2
num_cpus = 0.1
"""

RAY_VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ray") / "ray.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def pool(config: Path) -> Iterator[ModelPool]:
    """A pool whose classifier runs in two replicas; it starts Ray, and takes it down."""
    if find_spec("ray") is None:
        pytest.skip("the ray runtime is an extra: pip install 'hilum[ray]'")
    with pytest.MonkeyPatch.context() as environment:
        for name in [*RAY_VARIABLES, *(name for name in os.environ if name.startswith("RAY_"))]:
            environment.setenv(name, "")  # so that what the pool sets is taken back at the end
            environment.delenv(name)
        pool = ray_pool(config)
        pool.prefetch(Task.CLASSIFY, MODEL).result()
        yield pool
        pool.close()


def ray_pool(config: Path, **options: object) -> ModelPool:
    return ModelPool(device="cpu", profile="embedded", runtime="ray", ray_config=config, **options)  # type: ignore[arg-type]


def scores(predictions: list[Prediction]) -> np.ndarray:
    return np.array([item.output.values for item in predictions if isinstance(item.output, Scores)])


def pids(title: str) -> list[int]:
    """Processes below this one whose title holds a text."""
    psutil = pytest.importorskip("psutil")
    return [child.pid for child in psutil.Process().children(recursive=True) if title in " ".join(child.cmdline())]


def wait_until(done: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "what the test waits for did not come"
        time.sleep(0.02)


def test_replicas_give_what_this_process_gives(pool: ModelPool, make_film: MakeFilm) -> None:
    films = [make_film(seed) for seed in range(8)]
    here = ModelPool(device="cpu", profile="embedded").predict(Task.CLASSIFY, films, model_id=MODEL)
    there = pool.predict(Task.CLASSIFY, films, model_id=MODEL)
    np.testing.assert_allclose(scores(there), scores(here), atol=1e-5)  # batches differ, and so float32 sums
    assert [item.cached for item in there] == [False] * 8
    again = pool.predict(Task.CLASSIFY, films, model_id=MODEL)
    assert [item.cached for item in again] == [True] * 8
    assert pool.status()[[item.id for item in pool.status()].index(MODEL)].device == "ray"


def test_a_replica_killed_in_mid_batch_loses_no_film_and_doubles_none(pool: ModelPool, make_film: MakeFilm) -> None:
    films = [make_film(seed) for seed in range(100, 160)]
    before = computed(pool)
    found: list[Prediction] = []
    asking = threading.Thread(target=lambda: found.extend(pool.predict(Task.CLASSIFY, films, model_id=MODEL)))
    wait_until(lambda: len(pids("ServeReplica")) == 2)
    busy_before = pool.metrics.value("hilum_busy_seconds_total", model=MODEL)
    asking.start()
    wait_until(lambda: pool.metrics.value("hilum_busy_seconds_total", model=MODEL) > busy_before)
    killed = pids("ServeReplica")[0]
    os.kill(killed, signal.SIGKILL)
    asking.join(120)
    assert len(found) == 60, "every film has its prediction"
    assert computed(pool) - before == 60, "and each counts once"
    here = ModelPool(device="cpu", profile="embedded").predict(Task.CLASSIFY, films[::12], model_id=MODEL)
    np.testing.assert_allclose(scores(found[::12]), scores(here), atol=1e-5)
    wait_until(lambda: len([pid for pid in pids("ServeReplica") if pid != killed]) == 2)


def computed(pool: ModelPool) -> float:
    return pool.metrics.value("hilum_predictions_total", model=MODEL, source="computed")


def test_a_failure_in_a_replica_comes_back_as_what_it_is(
    pool: ModelPool, config: Path, tmp_path: Path, make_film: MakeFilm
) -> None:
    broken = entry("broken", adapter="torchxrayvision", weights="densenet121-res224-all")
    (tmp_path / "broken.pt").write_bytes(b"\x80weights")
    (tmp_path / "broken.toml").write_text(
        'id = "broken"\ntitle = "t"\ntask = "classify"\nrevision = "r1"\nlicence = "none"\nsource = "test"\n'
        'training_data = "none"\nscore_kind = "uncalibrated_sigmoid"\nscore_meaning = "none"\n'
    )
    other = ModelPool(Catalog([broken]), device="cpu", model_dir=tmp_path, runtime="ray", ray_config=config)
    with pytest.raises(Unavailable, match="broken"):
        other.predict(Task.CLASSIFY, [make_film()])


def test_what_listens_is_on_this_machine_or_asks_for_the_token(pool: ModelPool) -> None:
    """Serve binds one port of each replica to every address, whatever is set: that port must refuse strangers."""
    psutil, grpc = pytest.importorskip("psutil"), pytest.importorskip("grpc")
    wide = []
    for child in psutil.Process().children(recursive=True):
        heard = [each.laddr for each in child.net_connections() if each.status == "LISTEN"]
        beyond = [place for place in heard if place.ip.removeprefix("::ffff:") != "127.0.0.1"]
        assert not beyond or "ServeReplica" in " ".join(child.cmdline())
        wide += beyond
    assert len(wide) >= 2, "the replicas' ports; none would mean that Serve has mended this"
    for place in wide:
        with grpc.insecure_channel(f"127.0.0.1:{place.port}") as channel:
            call = channel.unary_unary("/ray.serve.ASGIService/HandleRequest")
            with pytest.raises(grpc.RpcError) as refused:
                call(b"", timeout=20)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_caller_waits_no_longer_than_told_and_the_work_is_kept(pool: ModelPool, make_film: MakeFilm) -> None:
    films = [make_film(500)]
    with pytest.raises(Unavailable, match="took longer than"):
        pool.predict(Task.CLASSIFY, films, model_id=MODEL, timeout_s=0.001)
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Unavailable, match="was cancelled"):
        pool.predict(Task.CLASSIFY, [make_film(501)], model_id=MODEL, cancelled=cancelled)
    wait_until(lambda: pool.predict(Task.CLASSIFY, films, model_id=MODEL)[0].cached)


def test_a_process_that_reads_films_is_killed_and_the_table_is_whole(
    pool: ModelPool, config: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "films"
    folder.mkdir()
    chest = 255 * make_phantom(PhantomSpec(seed=0, size=384)).radiograph.pixels
    for number in range(24):  # one chest in 24 exposures: tools refuse what is no chest film
        grainy = (chest + rng.normal(0, 2, chest.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(grainy).save(folder / f"{number:02d}.png")
    (folder / "notes.txt").write_text("not a film")
    journal = Journal(tmp_path / "journal.sqlite", {"asked": "classify"})
    tools, local = [installed().get("classify")], ModelPool(device="cpu", profile="embedded")
    next(outcome for outcome in run_cohort([folder], tools, local, journal, 1) if outcome.films == 2)  # breaks off
    first = next(iter(journal.rows()))
    killed = 0
    make_models = partial(ModelPool, device="cpu", profile="embedded", runtime="ray", ray_config=config)
    for outcome in run_cohort_on_ray([folder], tools, make_models, journal, 4, FilmShare(actors=2, num_cpus=0.1)):
        if not killed and outcome.films > outcome.done_before:
            killed = (pids("ray::MapWorker") + pids("MapBatches"))[0]
            os.kill(killed, signal.SIGKILL)
    rows = list(journal.rows())
    journal.close()
    assert killed and outcome.done_before >= 2 and outcome.films == 25
    assert [Path(str(row["file"])).name for row in rows] == sorted(path.name for path in folder.iterdir())
    assert [row["error"] is None for row in rows] == [True] * 24 + [False]
    assert rows[0] == first, "what the local run wrote stands"
    with sqlite3.connect(tmp_path / "journal.sqlite") as table:
        assert table.execute("SELECT count(*), count(DISTINCT name) FROM rows").fetchone() == (25, 25)
    here = {str(row["film_id"]): row for row in rows}
    assert len(here) == 25
    assert {(row["classify.error"], row["classify.model"]) for row in rows[:24]} == {(None, MODEL)}


def test_questions_are_put_to_processes_and_a_killed_one_loses_none(
    pool: ModelPool, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six questions that need neither film nor model, in two processes and here."""
    asked = ("What can you do?", "Help", "Hello", "Thank you", "Which tools do you have?", "Who are you?")
    items = tuple(Question(f"q{n}", f"c{n}", text, "", "yes", (), ("all",)) for n, text in enumerate(asked))
    made = Benchmark("six", "six questions", lambda wanted: Questions(items, "made by the test"))
    monkeypatch.setitem(BENCHMARKS, "six", made)

    class KillsOne(Silent):
        killed = 0

        def step(self, outcome: str) -> None:
            if not self.killed:
                self.killed = pids("ray::Asker")[0]
                os.kill(self.killed, signal.SIGKILL)

    def run(runtime: str, progress: Silent) -> Summary:
        settings = Settings(planner="embedded", profile="embedded", runtime=Runtime(runtime), ray_config=config)
        return run_task("six", settings=settings, progress=progress, workers=2, log_dir=tmp_path / runtime)

    progress = KillsOne()
    there, here = run("ray", progress), run("local", Silent())
    assert progress.killed and (there.asked, there.resumed) == (6, 0)
    lines = (there.folder / "answers.jsonl").read_text().splitlines()
    assert len(lines) == 6, "no question was answered twice"
    texts = [{item.question.id: item.record.text for item in read_run(each.folder).graded} for each in (there, here)]
    assert texts[0] == texts[1] and all(texts[0].values())
    again = run("ray", Silent())
    assert (again.asked, again.resumed) == (0, 6)
    assert not pids("ray::Asker"), "the processes are gone with the run"


def test_the_cluster_file_on_the_page_is_one(pool: ModelPool) -> None:
    """Ray's own check of the file in docs/scale.md; nothing is launched."""
    import yaml
    from ray.autoscaler._private.util import prepare_config, validate_config

    page = (Path(__file__).resolve().parents[3] / "docs" / "scale.md").read_text(encoding="utf-8")
    found = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    validate_config(prepare_config(found))
    with pytest.raises(Exception, match="no_such_key"):
        validate_config(prepare_config({**found, "no_such_key": 1}))


def test_ray_is_not_imported_unless_chosen() -> None:
    code = (
        "import sys, app, models.pool, tools.batches.cohort, ui.terminal.batch, models.cluster.serving\n"
        "import tools.batches.on_ray\n"
        "from models.pool import ModelPool\n"
        "ModelPool(runtime='ray'); print('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_the_configuration_is_checked(tmp_path: Path) -> None:
    wrong = tmp_path / "ray.toml"
    wrong.write_text("[default]\nreplicas = 0\n")
    with pytest.raises(BadArguments, match=r"default\.replicas"):
        ModelPool(runtime="ray", ray_config=wrong)
    with pytest.raises(BadArguments, match="no runtime 'clay'"):
        ModelPool(runtime="clay")
    shipped = ClusterConfig.read()
    assert shipped == ClusterConfig(), "the file says the defaults"
    assert shipped.share("any") == ModelShare()
