"""Isolated workers: a child whose packages really differ from ours, what crosses the pipe, death, memory, lies."""

from __future__ import annotations

import ast
import importlib.metadata
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from catalog_entries import entry
from conftest import MakeFilm

from imaging.failures import Unavailable
from models.catalog import Catalog
from models.outputs import Task, Text
from models.pool import ModelPool
from models.request import Question
from models.worker import environment, process
from models.worker.child import MAGIC, PREFIX, FrameError, read_frame, write_frame
from models.worker.host import Worker
from models.worker.process import Launch

HERE = Path(__file__).parent
OTHER_NUMPY = "2.1.3"
"""Not ours (constraints.txt)."""

NEEDS = {"runner": "worker_runner", "requirements": [f"numpy=={OTHER_NUMPY}"], "imports": ["numpy"]}
ENTRY = entry(
    "isolated",
    tasks=["answer"],
    adapter="worker",
    profile="full",
    source={"kind": "hub", "repo": "nobody/isolated", "revision": "main", "note": "written by the test"},
    labels=["answer"],
    worker=NEEDS,
)


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with the test's model and its environment, which `hilum models pull` would make."""
    folder = tmp_path_factory.mktemp("models")
    (folder / ENTRY.id).mkdir()
    (folder / ENTRY.id / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    try:
        environment.make(ENTRY, folder)
    except Unavailable as failure:
        pytest.skip(f"no second environment can be made here: {failure}")
    return folder


@pytest.fixture
def make_worker(model_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Workers of the test's runner; ended afterwards."""
    monkeypatch.setattr(process, "RUNNERS", HERE)
    made: list[Worker] = []

    def make(limit_bytes: int | None = None, **options: float) -> Worker:
        python = environment.python_of(environment.place_of(ENTRY, model_dir))
        launch = Launch("isolated", python, "worker_runner", tmp_path, "cpu", "float32", False, limit_bytes)
        made.append(Worker(launch, **options))
        return made[-1]

    yield make
    for worker in made:
        worker.close()


def ask(worker: Worker, text: str, **films: np.ndarray) -> tuple[dict, dict]:
    header = {"text": text, **{name: name if name in films else None for name in ("film", "lateral", "prior")}}
    (output,), arrays = worker.ask("answer", [header], films)
    return output, arrays


def gone(pid: int) -> bool:
    """Whether there is no such process, not even a zombie; a few seconds are allowed for it to go."""
    until = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    return not Path(f"/proc/{pid}").exists()


def ended(pid: int) -> bool:
    """Whether a process that is not our child is gone, or a zombie that its new parent will collect (proc(5))."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_arrays_come_back_identical_from_other_packages_whatever_libraries_print(make_worker) -> None:
    """Expected: the very arrays that were sent; numpy's version is the one the catalog entry pins."""
    worker = make_worker()
    random = np.random.default_rng(3)
    films = {
        "film": random.integers(0, 256, (701, 503), dtype=np.uint8),
        "lateral": random.random((3, 0, 5)).astype(np.float32),
        "prior": random.integers(-(2**60), 2**60, (2, 3, 4), dtype=np.int64)[:, ::2],
    }
    output, arrays = ask(worker, "echo", **films)
    assert worker.about["numpy"] == OTHER_NUMPY != importlib.metadata.version("numpy")
    assert output["pid"] == worker.pid != os.getpid()
    for name, sent in films.items():
        back = arrays[f"0.{name}"]
        assert back.dtype == sent.dtype and back.shape == sent.shape and np.array_equal(back, sent)


def test_the_child_sees_no_tokens_no_hub_and_none_of_our_packages(make_worker, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", str(HERE.parents[2]))
    found, _ = ask(make_worker(), "around")
    allowed = {*process.KEPT_VARIABLES, *process.OFFLINE, "HOME", "TMPDIR", "HF_HOME", "XDG_CACHE_HOME", "LC_CTYPE"}
    assert set(found["names"]) <= allowed
    assert found["offline"] == "1" and found["torch"] is False and found["trusted"] is False
    assert found["home"] != os.environ["HOME"]
    assert not any(Path(path).is_relative_to(HERE.parents[2]) or path == "" for path in found["paths"])


def test_a_killed_worker_is_started_anew(make_worker) -> None:
    worker = make_worker()
    before, _ = ask(worker, "echo")
    os.kill(before["pid"], signal.SIGKILL)
    after, _ = ask(worker, "echo")
    assert after["pid"] != before["pid"] and gone(before["pid"])


def test_a_request_survives_one_death_and_is_given_up_after_two_raises(make_worker) -> None:
    worker = make_worker()
    output, _ = ask(worker, "die_once")
    assert output["kind"] == "Echo"
    with pytest.raises(Unavailable, match=r"isolated died 2 times .*SIGKILL.*last words") as caught:
        ask(worker, "die")
    assert "pull isolated" in caught.value.hint
    assert ask(worker, "echo")[0]["kind"] == "Echo"


def test_an_answer_that_does_not_come_ends_the_process_raises(make_worker) -> None:
    worker = make_worker(answer_timeout_s=0.5)
    worker.start()
    pid = worker.pid
    with pytest.raises(Unavailable, match=r"gave no answer in 0\.5 s"):
        ask(worker, "sleep")
    assert worker.pid is None and gone(pid)


def test_a_worker_over_its_memory_is_ended_raises(make_worker) -> None:
    worker = make_worker(limit_bytes=200_000_000)
    worker.start()
    pid = worker.pid
    with pytest.raises(MemoryError, match=r"grew to 2\d\d MB of 200 MB allowed"):
        ask(worker, "eat")
    assert gone(pid)


def test_failures_inside_are_told_and_the_process_lives_on(make_worker) -> None:
    worker = make_worker()
    worker.start()
    pid = worker.pid
    with pytest.raises(Unavailable, match="ValueError: the tokenizer has no such word"):
        ask(worker, "fail")
    with pytest.raises(MemoryError, match="CUDA out of memory"):
        ask(worker, "exhausted")
    with pytest.raises(Unavailable, match="dtype 'object'"):
        ask(worker, "objects")
    assert worker.pid == pid


def test_close_leaves_no_process_and_no_folder(make_worker) -> None:
    worker = make_worker()
    home = Path(ask(worker, "around")[0]["home"])
    output, _ = ask(worker, "offspring")
    pid = worker.pid
    assert home.is_dir()
    worker.close()
    assert gone(pid) and not home.exists() and ended(output["pid"])


LIES = {
    "no frame": b"Loading checkpoint shards: 100%\n",
    "endless header": PREFIX.pack(MAGIC, 2**32 - 1),
    "no JSON": PREFIX.pack(MAGIC, 4) + b"{{{{",
    "no object": PREFIX.pack(MAGIC, 2) + b"[]",
}
LISTED = {
    "a pickle": [["a", "object", [1]]],
    "a terabyte": [["a", "uint8", [1 << 20, 1 << 20]]],
    "less than nothing": [["a", "uint8", [-1]]],
    "half a pixel": [["a", "float32", [1.5]]],
    "twice": [["a", "uint8", [1]], ["a", "uint8", [1]]],
    "seven dimensions": [["a", "uint8", [1] * 7]],
    "no list": {"a": 1},
    "too many": [[str(number), "uint8", [0]] for number in range(65)],
}


def framed(listed: object) -> bytes:
    header = json.dumps({"is": "outputs", "outputs": [], "arrays": listed}).encode()
    return PREFIX.pack(MAGIC, len(header)) + header


@pytest.mark.parametrize("frame", [*LIES.values(), *map(framed, LISTED.values())], ids=[*LIES, *LISTED])
def test_a_lying_frame_is_refused_before_memory_is_taken_raises(frame: bytes) -> None:
    stream = io.BytesIO(frame)
    with pytest.raises(FrameError):
        read_frame(lambda view: fill(stream, view))


def fill(stream: io.BytesIO, view: memoryview) -> None:
    part = stream.read(len(view))
    if len(part) < len(view):
        raise EOFError
    view[:] = part


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32", "float64"])
def test_frames_are_little_endian_bytes_of_plain_numbers(dtype: str) -> None:
    array = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    stream = io.BytesIO()
    write_frame(lambda view: stream.write(view) and None, {"is": "x"}, {"a": array.T})
    stream.seek(0)
    header, arrays = read_frame(lambda view: fill(stream, view))
    assert header == {"is": "x"} and arrays["a"].dtype == dtype and np.array_equal(arrays["a"], array.T)
    assert stream.getvalue().endswith(array.T.astype(np.dtype(dtype).newbyteorder("<")).tobytes())


@pytest.mark.parametrize("lie", ["endless header", "a terabyte", "half an answer"])
def test_a_lying_child_is_ended_raises(lie: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = PREFIX.pack(MAGIC, 100) + b"{"
    bytes_sent = {"endless header": LIES["endless header"], "a terabyte": framed(LISTED["a terabyte"])}.get(lie, half)
    child = tmp_path / "child.py"
    child.write_text(f"import os\nos.write(1, {bytes_sent!r})\n")
    monkeypatch.setattr(process, "CHILD", child)
    worker = Worker(Launch("liar", Path(sys.executable), "none", tmp_path, "cpu", "float32", False, None))
    with pytest.raises(Unavailable, match=r"no answer|died 2 times.*exit code 0"):
        worker.start()
    assert worker.pid is None


def test_nothing_of_the_worker_can_pickle() -> None:
    """Every import of the package, and every keyword that would let numpy unpickle."""
    for path in (HERE.parents[2] / "models" / "worker").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        words = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
        assert not {name.partition(".")[0] for name in names} & {"pickle", "marshal", "dill", "shelve", "joblib"}
        assert not any("multiprocessing" in name for name in names) and "allow_pickle" not in words


def test_the_pool_answers_from_a_worker_and_holds_it_to_its_budget(
    model_dir: Path, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expected text: written by the test's runner from the film's 8-bit mean."""
    monkeypatch.setattr(process, "RUNNERS", HERE)
    film = make_film()
    pool = ModelPool(
        Catalog([ENTRY]), device="cpu", model_dir=model_dir, profile="full", memory_budget_mb=200, max_wait_ms=0
    )
    try:
        (found,) = pool.predict(Task.ANSWER, [film], question=Question("text please", indication="cough"))
        mean = np.rint(film.pixels * 255).mean()
        assert isinstance(found.output, Text) and found.output.boxes == ((1, 2, 30, 40),)
        assert found.output.text == f"answer: text please (cough), mean {mean:.3f}"
        with pytest.raises(Unavailable, match=r"does not lie on the film of 300 x 240 pixels"):
            pool.predict(Task.ANSWER, [film], question=Question("outside"))
        with pytest.raises(Unavailable, match="found too little memory"):
            pool.predict(Task.ANSWER, [film], question=Question("eat"))
    finally:
        pool.close()
