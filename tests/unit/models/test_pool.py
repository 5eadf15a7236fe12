"""The pool: who answers, once only, and what is said when nobody can. Models here are counters, not networks."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from catalog_entries import entry
from conftest import MakeFilm

from imaging.failures import BadArguments, Unavailable
from imaging.radiograph import Radiograph
from models import pool as pool_module
from models.card import ModelCard
from models.catalog import Catalog, CatalogEntry
from models.outputs import Output, ScoreKind, Scores, Task
from models.pool import ModelPool
from models.predictions import PredictionCache, PredictionKey
from models.serving import CPU_BATCH as BATCH


class Counting:
    """An adapter whose score is the film's mean, and which remembers what it was asked."""

    def __init__(self, model_id: str, card: ModelCard) -> None:
        self.model_id, self.card = model_id, card
        self.batches: list[list[str]] = []
        self.inside = threading.Semaphore(1)

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        assert self.inside.acquire(blocking=False), "two threads in one model"
        time.sleep(0.02)
        self.batches.append([film.id for film in films])
        self.inside.release()
        return [Scores(("mass",), np.array([film.pixels.mean()], np.float32)) for film in films]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Counting]]:
    """The adapters made so far, by model id."""
    adapters: dict[str, list[Counting]] = {}

    def load(item: CatalogEntry, card: ModelCard, path: Path, device: str) -> Counting:
        if path.read_bytes().endswith(b"broken"):
            raise Unavailable(f"{path} was not loaded.", "Get it again.")
        time.sleep(0.05)
        adapters.setdefault(item.id, []).append(Counting(item.id, card))
        return adapters[item.id][-1]

    monkeypatch.setitem(sys.modules, "models.adapters.counting", SimpleNamespace(load=load))  # type: ignore[arg-type]
    return adapters


def put(folder: Path, *model_ids: str, content: bytes = b"\x80weights") -> None:
    """Weights and cards of models in the model directory."""
    for model_id in model_ids:
        (folder / f"{model_id}.pt").write_bytes(content)
        (folder / f"{model_id}.toml").write_text(
            f'id = "{model_id}"\ntitle = "t"\ntask = "classify"\nrevision = "r1"\nlicence = "none"\nsource = "test"\n'
            f'training_data = "none"\nscore_kind = "{ScoreKind.SIGMOID}"\nscore_meaning = "mean grey"\n'
        )


CATALOG = Catalog(
    [
        entry("huge", profile="full"),
        entry("best"),
        entry("good"),
        entry("small", profile="embedded"),
        entry("outline", tasks=["segment"], profile="embedded"),
    ]
)


def make_pool(folder: Path, **options: object) -> ModelPool:
    return ModelPool(CATALOG, device="cpu", model_dir=folder, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("present", "profile", "taken"),
    [
        (["best", "good", "small"], "standard", "best"),
        (["good", "small"], "standard", "good"),
        (["best", "good", "small"], "embedded", "small"),
        (["huge", "best"], "standard", "best"),
        (["huge", "best"], "full", "huge"),
    ],
)
def test_the_first_present_and_allowed_model_is_taken(
    present: list[str], profile: str, taken: str, tmp_path: Path
) -> None:
    put(tmp_path, *present)
    assert make_pool(tmp_path, profile=profile).resolve(Task.CLASSIFY).id == taken


def test_an_argument_goes_before_the_choice_and_the_choice_before_the_order(tmp_path: Path) -> None:
    put(tmp_path, "best", "good", "small")
    pool = make_pool(tmp_path, choices={"classify": "good"})
    assert pool.resolve(Task.CLASSIFY).id == "good"
    assert pool.resolve(Task.CLASSIFY, "small").id == "small"


def test_a_named_model_that_is_absent_is_never_replaced_raises(tmp_path: Path) -> None:
    put(tmp_path, "best")
    pool = make_pool(tmp_path, choices={"classify": "good"})
    with pytest.raises(Unavailable, match=r"good is not here: .*good\.pt is not there") as caught:
        pool.resolve(Task.CLASSIFY)
    assert caught.value.hint == f"Put good.pt into {tmp_path}. written by the test"
    assert not pool.serves(Task.CLASSIFY)


def test_nobody_present_says_what_to_get_raises(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No model that serves classify is here") as caught:
        make_pool(tmp_path).resolve(Task.CLASSIFY)
    assert "best.pt" in caught.value.hint


def test_a_model_beyond_the_profile_raises(tmp_path: Path) -> None:
    put(tmp_path, "huge")
    with pytest.raises(Unavailable, match=r"huge belongs to profile 'full'; this is 'standard'.*--profile full"):
        make_pool(tmp_path).resolve(Task.CLASSIFY, "huge")


def test_a_task_without_any_model_raises(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No model of profile 'standard' serves ground"):
        make_pool(tmp_path).resolve(Task.GROUND)


def test_wrong_names_raise(tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match=r"'bst'.*Nearest: best"):
        make_pool(tmp_path).resolve(Task.CLASSIFY, "bst")
    with pytest.raises(BadArguments, match=r"best does not serve segment.*Models that do: outline"):
        make_pool(tmp_path).resolve(Task.SEGMENT, "best")
    with pytest.raises(BadArguments, match="no task 'clasify'"):
        make_pool(tmp_path, choices={"clasify": "best"})
    with pytest.raises(BadArguments, match="outline does not serve classify"):
        make_pool(tmp_path, choices={"classify": "outline"})
    with pytest.raises(BadArguments, match=r"'tiny'.*embedded, standard, full"):
        make_pool(tmp_path, profile="tiny")


def test_a_film_is_computed_once_and_then_remembered(
    tmp_path: Path, made: dict[str, list[Counting]], make_film: MakeFilm
) -> None:
    put(tmp_path, "best")
    pool, film = make_pool(tmp_path), make_film()
    [first], [second] = pool.predict(Task.CLASSIFY, [film]), pool.predict(Task.CLASSIFY, [film])
    assert (first.cached, second.cached) == (False, True)
    assert first.elapsed_ms > 0 and second.elapsed_ms == 0
    assert second.output is first.output and (second.model_id, second.revision) == ("best", "r1")
    assert made["best"][0].batches == [[film.id]]


def test_outputs_cannot_be_changed_by_a_caller(
    tmp_path: Path, made: dict[str, list[Counting]], make_film: MakeFilm
) -> None:
    put(tmp_path, "best")
    [prediction] = make_pool(tmp_path).predict(Task.CLASSIFY, [make_film()])
    with pytest.raises(ValueError, match="read-only"):
        prediction.output.values[0] = 1


def test_many_films_go_in_batches_in_order_each_once(
    tmp_path: Path, made: dict[str, list[Counting]], make_film: MakeFilm
) -> None:
    put(tmp_path, "best")
    films = [make_film(seed, (20, 20)) for seed in range(BATCH + 3)]
    asked = [*films, films[0]]
    predictions = make_pool(tmp_path).predict(Task.CLASSIFY, asked)
    assert [len(batch) for batch in made["best"][0].batches] == [BATCH, 3]
    for film, prediction in zip(asked, predictions, strict=True):
        assert prediction.output.values[0] == film.pixels.mean()


def test_no_films_load_no_model(tmp_path: Path, made: dict[str, list[Counting]]) -> None:
    put(tmp_path, "best")
    assert make_pool(tmp_path).predict(Task.CLASSIFY, []) == [] and not made


def test_threads_share_one_copy_and_one_computation(
    tmp_path: Path, made: dict[str, list[Counting]], make_film: MakeFilm
) -> None:
    put(tmp_path, "best")
    pool, films = make_pool(tmp_path), [make_film(seed, (20, 20)) for seed in range(4)]
    start = threading.Barrier(12)

    def ask(index: int) -> float:
        start.wait()
        [prediction] = pool.predict(Task.CLASSIFY, [films[index % 4]])
        return float(prediction.output.values[0])

    with ThreadPoolExecutor(12) as threads:
        values = list(threads.map(ask, range(12)))
    [adapter] = made["best"]
    assert sorted(film for batch in adapter.batches for film in batch) == sorted(film.id for film in films)
    assert values == [float(films[index % 4].pixels.mean()) for index in range(12)]


def test_weights_that_do_not_load_are_absent_from_then_on_until_replaced(
    tmp_path: Path, made: dict[str, list[Counting]], make_film: MakeFilm
) -> None:
    put(tmp_path, "best", content=b"\x80broken")
    put(tmp_path, "small")
    pool, film = make_pool(tmp_path), make_film()
    with pytest.raises(Unavailable, match="was not loaded"):
        pool.predict(Task.CLASSIFY, [film])
    assert pool.resolve(Task.CLASSIFY).id == "small"
    put(tmp_path, "best", content=b"\x80mended weights")
    assert pool.predict(Task.CLASSIFY, [film])[0].model_id == "best"


def test_status_tells_all_and_loads_nothing(
    tmp_path: Path, made: dict[str, list[Counting]], make_film: MakeFilm
) -> None:
    put(tmp_path, "good", "outline")
    pool = make_pool(tmp_path)
    status = {item.id: item for item in pool.status()}
    assert list(status) == [item.id for item in CATALOG] and not made
    assert status["good"].present and status["good"].first_for == (Task.CLASSIFY,)
    assert not status["best"].present and status["best"].reason and status["best"].remedy
    assert not status["huge"].allowed
    pool.predict(Task.CLASSIFY, [make_film()])
    after = {item.id: item for item in pool.status()}
    assert after["good"].loaded and after["good"].device == "cpu" and not after["outline"].loaded


def test_an_absent_device_is_said_when_a_model_is_needed_raises(
    tmp_path: Path, made: dict[str, list[Counting]], make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: str) -> str:
        raise Unavailable(f"Device {request!r} is not here.", "Use cpu.")

    monkeypatch.setattr(pool_module, "choose_all", refuse)
    put(tmp_path, "best")
    pool = ModelPool(CATALOG, device="cuda", model_dir=tmp_path)
    assert pool.serves(Task.CLASSIFY)
    with pytest.raises(Unavailable, match="'cuda' is not here"):
        pool.predict(Task.CLASSIFY, [make_film()])
    assert pool.serves(Task.CLASSIFY), "the weights are not to blame for the device"


def test_the_cache_drops_the_least_recently_used_and_stays_in_its_bytes() -> None:
    def key(film: str) -> PredictionKey:
        return PredictionKey(film, "m", "r", Task.CLASSIFY)

    def scores(count: int) -> Scores:
        return Scores(("a",) * count, np.zeros(count, np.float32))

    cache = PredictionCache(limit_bytes=12)
    for film in "abc":
        cache.put(key(film), scores(1))
    cache.get(key("a"))
    cache.put(key("d"), scores(1))
    assert cache.get(key("b")) is None and cache.get(key("a")) is not None
    cache.put(key("a"), scores(2))
    assert cache.size_bytes == 12 and len(cache) == 2
    cache.put(key("e"), scores(4))
    assert cache.get(key("e")) is None and len(cache) == 2


def test_a_card_with_another_threshold_is_another_edition_of_the_same_weights() -> None:
    """Predictions kept on a disk must not come back as masks cut where an earlier card cut them."""
    card = ModelPool(Catalog.read(), device="cpu").card("embedded-segmenter")
    [first, *rest] = card.structures
    moved = card.model_copy(update={"structures": [first.model_copy(update={"threshold": 0.9}), *rest]})
    assert moved.revision == card.revision and moved.edition != card.edition
