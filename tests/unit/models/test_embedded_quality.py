"""The embedded quality network on the shipped weights: drawn pictures, phantoms and labelled real films."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from imaging.failures import Unavailable
from imaging.phantom import PhantomSpec, make_phantom
from imaging.radiograph import Radiograph, Source, View, canonical, film_id
from models import wire
from models.adapters import embedded_quality
from models.catalog import Catalog
from models.outputs import Quality, Task
from models.pool import ModelPool
from models.quality import OUTPUTS, QUALITY_SIDE, load_quality
from models.recipes.quality_drawn import DRAWN
from models.recipes.quality_films import Change, Film, change
from models.recipes.quality_radiographs import PARTS, radiograph_of, slice_of_body
from models.weights import EMBEDDED_DIR

MODEL = "embedded-quality"
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
REAL_FILMS = 12

needs_real_films = pytest.mark.skipif(not (DATA / "jsrt.csv").is_file(), reason="the real films are not here")


@cache
def pool() -> ModelPool:
    return ModelPool(device="cpu", profile="embedded")


def film_of(pixels: npt.NDArray[np.floating]) -> Radiograph:
    shown = canonical(np.clip(pixels, 0, 1))
    return Radiograph(film_id(shown), shown, Source("test", *shown.shape, bits_stored=8, photometric="L"))


def judged(*pictures: npt.NDArray[np.floating]) -> list[Quality]:
    outputs = [each.output for each in pool().predict(Task.QUALITY, [film_of(picture) for picture in pictures])]
    assert all(isinstance(output, Quality) for output in outputs)
    return [output for output in outputs if isinstance(output, Quality)]


@cache
def phantom(seed: int, view: View = View.PA) -> npt.NDArray[np.float32]:
    return make_phantom(PhantomSpec(seed=seed, view=view, size=256)).radiograph.pixels


@cache
def real_films() -> list[npt.NDArray[np.float32]]:
    """JSRT films of fold 0: the recipe keeps that fold out of training."""
    with (DATA / "jsrt.csv").open() as stream:
        files = [row["file"] for row in csv.DictReader(stream) if row["fold"] == "0"][:REAL_FILMS]
    return [np.asarray(Image.open(DATA / name).convert("L"), dtype=np.float32) / 255 for name in files]


def test_the_catalog_says_what_the_network_sees_and_answers() -> None:
    """Expected: the constants of models/quality.py."""
    entry = Catalog.read().get(MODEL)
    assert entry.labels == tuple(OUTPUTS) and entry.input_size == QUALITY_SIDE
    assert ModelPool(device="cpu", profile="embedded").resolve(Task.QUALITY).id == MODEL


@pytest.mark.parametrize("kind", [*DRAWN, "slice", *PARTS])
def test_drawn_pictures_that_are_no_chest_are_refused(kind: str) -> None:
    """Expected: what was drawn. Seeds are not those of the recipe; 19 of 20 leaves room for one miss."""
    rng = np.random.default_rng(99)
    make = DRAWN.get(kind) or (slice_of_body if kind == "slice" else lambda rng: radiograph_of(kind, rng))
    said = judged(*(make(rng) for _ in range(10)))
    assert sum(not quality.is_chest for quality in said) >= 9


@pytest.mark.parametrize("view", [View.PA, View.AP])
def test_phantoms_are_chest_films_that_lie_right(view: View) -> None:
    """Expected: the phantom stands upright, is not mirrored, and white is dense."""
    [quality] = judged(phantom(5, view))
    assert quality.is_chest and quality.turned_deg == 0 and not quality.inverted and not quality.mirrored
    assert quality.view != "LATERAL"


@needs_real_films
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_turned_film_is_a_chest_film_and_the_turn_is_told(turns: int) -> None:
    """Expected: the turn that was made, clockwise; at most one of the films may be told wrong."""
    said = judged(*(np.rot90(film, -turns) for film in real_films()))
    assert sum(quality.is_chest and quality.turned_deg == 90 * turns for quality in said) >= REAL_FILMS - 1


@needs_real_films
@pytest.mark.parametrize("inverted", [False, True])
def test_inversion_is_told(inverted: bool) -> None:
    """Expected: what was done; at most one of the films may be told wrong."""
    said = judged(*(1 - film if inverted else film for film in real_films()))
    assert sum(quality.is_chest and quality.inverted is inverted for quality in said) >= REAL_FILMS - 1


@needs_real_films
@pytest.mark.parametrize("mirrored", [False, True])
def test_mirroring_is_told(mirrored: bool) -> None:
    """Expected: what was done; a film that does not say (None) counts as not told, and two of twelve may be."""
    said = judged(*(film[:, ::-1] if mirrored else film for film in real_films()))
    assert sum(quality.mirrored is mirrored for quality in said) >= REAL_FILMS - 2
    assert sum(quality.mirrored is (not mirrored) for quality in said) <= 1


@needs_real_films
def test_cut_off_bases_are_told() -> None:
    """Expected: the lowest 45 % of a JSRT film hold the lung bases; without them the lungs are cut, with them not."""
    whole, cut = judged(*real_films()), judged(*(film[: int(0.55 * len(film))] for film in real_films()))
    assert sum("bases" in quality.cut_edges for quality in cut) >= REAL_FILMS - 1
    assert sum("bases" in quality.cut_edges for quality in whole) <= 1


def test_a_field_set_too_high_is_a_chest_film_whose_bases_are_cut() -> None:
    """Expected: the phantom's field is displaced until a fifth of the lungs lies below it; the head is on the film."""
    [found] = judged(make_phantom(PhantomSpec(seed=50, view=View.PA, size=256, clip=("base", 0.2))).radiograph.pixels)
    assert found.is_chest and not found.turned_deg and not found.inverted
    assert "bases" in found.cut_edges and "apices" not in found.cut_edges and found.inspiration is None


def test_the_truth_of_a_cut_is_where_the_window_ends() -> None:
    """Expected by hand: lungs fill rows 20 to 79; a window to row 60 cuts a third of them off below, nothing else."""
    lungs = np.zeros((100, 100), dtype=bool)
    lungs[20:80, 20:80] = True
    film = Film("test", "a", "a", 0, np.zeros((100, 100), dtype=np.uint8), lungs)
    _, truth = change(film, Change(window=(0.0, 0.0, 0.6, 1.0)))
    assert truth.cut == (0.0, 1.0, 0.0, 0.0) and truth.chest == 1.0
    _, piece = change(film, Change(window=(0.0, 0.0, 0.3, 0.5)))
    assert piece.chest == 0.0


@cache
def breathing(seed: int, depth: float) -> npt.NDArray[np.float32]:
    return make_phantom(PhantomSpec(seed=seed, size=256, inspiration=depth)).radiograph.pixels


def test_the_depth_of_the_breath_is_told() -> None:
    """Expected: the phantom's 0.05 and 0.95, within a third (one rib), of patients the recipe did not see."""
    shallow, deep = (judged(*(breathing(seed, depth) for seed in (31, 32))) for depth in (0.05, 0.95))
    for quality, depth in ((shallow[0], 0.05), (shallow[1], 0.05), (deep[0], 0.95), (deep[1], 0.95)):
        assert quality.inspiration == pytest.approx(depth, abs=0.34)


def test_the_breath_is_not_told_where_ribs_cannot_be_counted() -> None:
    """Expected: without the lower 45 % of the film no dome is on it; a turned or inverted film is read by no one."""
    film = breathing(31, 0.95)
    said = judged(film[: int(0.55 * len(film))], np.rot90(film), 1 - film)
    assert [quality.inspiration for quality in said] == [None] * 3


def test_a_verdict_crosses_the_wire_unchanged() -> None:
    [quality] = judged(phantom(5))
    header, arrays = wire.encode(quality)
    again = wire.decode(header, arrays)
    assert isinstance(again, Quality)
    assert replace(again, view_scores=quality.view_scores, cut_scores=quality.cut_scores) == quality


def test_one_call_per_film() -> None:
    film = film_of(phantom(5))
    mine = ModelPool(device="cpu", profile="embedded")
    first, second = (mine.predict(Task.QUALITY, [film])[0].cached for _ in range(2))
    assert (first, second) == (False, True)


def test_a_card_without_thresholds_is_not_loaded(tmp_path: Path) -> None:
    entry, card = Catalog.read().get(MODEL), pool().card(MODEL)
    shutil.copy(EMBEDDED_DIR / f"{MODEL}.safetensors", tmp_path)
    with pytest.raises(Unavailable, match="lacks chest"):
        embedded_quality.load(entry, card.model_copy(update={"verdicts": {}}), tmp_path / f"{MODEL}.safetensors", "cpu")


def test_other_weights_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"stem.0.weight": torch.zeros(1)}, path)
    with pytest.raises(Unavailable, match="not the file of embedded-quality"):
        embedded_quality.load(Catalog.read().get(MODEL), pool().card(MODEL), path, "cpu")


def test_half_precision_weights_compute_in_single() -> None:
    network = load_quality(load_file(EMBEDDED_DIR / f"{MODEL}.safetensors"))
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
