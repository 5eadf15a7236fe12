"""torchxrayvision's segmenters against the package itself, from random files in its formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import MakeFilm

from imaging.failures import Unavailable
from models.adapters.torchxrayvision import middle_square, prepare
from models.adapters.txrv_segment import on_film, structure_code
from models.catalog import Catalog, CatalogEntry
from models.outputs import Masks, ScoreKind, Task
from models.pool import ModelPool
from tools.knowledge import structures

xrv = pytest.importorskip("torchxrayvision")

chestx_det, chestx_anatomy = xrv.baseline_models.chestx_det, xrv.baseline_models.chestx_anatomy
CATALOG = Catalog.read()
PSPNET, CXAS = CATALOG.get("txrv-pspnet-chestxdet"), CATALOG.get("txrv-cxas-unet")
SIDE = 128
"""Of the square in these tests: both networks take any, and 512 pixels cost sixteen times as much."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with both networks, random, in the formats the package reads."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(5)
    pspnet = torch.nn.DataParallel(chestx_det.pspnet(len(chestx_det.PSPNet.targets)))
    torch.save(pspnet.state_dict(), folder / PSPNET.source.file)
    unet = chestx_anatomy.UNetResNet50(weights=False).state_dict()
    original = {name.replace("backbone.backbone.", "backbone.", 1): value for name, value in unet.items()}
    torch.save({"epoch": 3, "model": original}, folder / CXAS.source.file)
    return folder


def small(entry: CatalogEntry) -> CatalogEntry:
    return entry.model_copy(update={"input_size": SIDE})


def theirs(entry: CatalogEntry, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package's own class from the same file, at this test's size."""
    monkeypatch.setattr(xrv.utils, "fix_resolution", lambda x, resolution, model: x)
    kind = chestx_det.PSPNet if entry is PSPNET else chestx_anatomy.UNetResNet50
    return kind(cache_dir=str(folder))


@pytest.mark.parametrize("entry", [PSPNET, CXAS], ids=lambda entry: entry.id)
def test_masks_are_those_of_the_package(
    entry: CatalogEntry, folder: Path, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expected: the package's constructor and forward on the same file and film, its sigmoid above 0.5."""
    network, film = theirs(entry, folder, monkeypatch), make_film(5, (SIDE, SIDE))
    with torch.inference_mode():
        logits = network(torch.from_numpy(prepare(film.pixels, SIDE))[None])[0].numpy()
    [prediction] = ModelPool(Catalog([small(entry)]), device="cpu", model_dir=folder).predict(
        Task.SEGMENT, [film], model_id=entry.id
    )
    masks = prediction.output
    assert isinstance(masks, Masks) and masks.masks.shape == (len(entry.labels), SIDE, SIDE)
    assert list(network.targets) == list(entry.labels)
    assert masks.codes == tuple(structure_code(label) for label in entry.labels)
    scale = np.abs(logits).max()
    sure = np.abs(logits) > 1e-4 * scale  # float32's rounding may turn a logit that is all but zero
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(masks.masks[sure], logits[sure] > 0)
    present = [index for index in range(len(logits)) if (logits[index] > 1e-4 * scale).any()]
    assert 0 < masks.masks.mean() < 1, "random weights should not put everything into every mask"
    for index in present[:5]:
        sigmoids = 1 / (1 + np.exp(-logits[index].astype(np.float64)))
        assert masks.quality[index] == pytest.approx(sigmoids[logits[index] > 0].mean(), abs=1e-3)
    assert prediction.card.score_kind is ScoreKind.MASK_PROBABILITY


def test_addresses_and_sizes_are_those_of_the_package() -> None:
    """Expected: addresses and sizes in the package's source; four bytes a floating-point number of its networks."""
    with torch.device("meta"):
        networks = {PSPNET.id: chestx_det.pspnet(14), CXAS.id: chestx_anatomy.UNetResNet50(weights=False)}
    for entry, module in ((PSPNET, chestx_det), (CXAS, chestx_anatomy)):
        source = Path(module.__file__).read_text(encoding="utf-8")
        assert entry.source.file in source and entry.input_size == 512
        numbers = sum(v.numel() for v in networks[entry.id].state_dict().values() if v.is_floating_point())
        assert entry.source.minimum_bytes == 4 * numbers
        assert entry.download_mb == pytest.approx(4 * numbers / 1e6, abs=0.1)
    assert CXAS.source.url == chestx_anatomy.WEIGHTS_URL
    assert "fix_resolution(x, 512, self)" in Path(chestx_det.__file__).read_text(encoding="utf-8")
    assert networks[CXAS.id].input_resolution == 512


def test_structures_have_the_codes_of_the_ontology() -> None:
    """Expected: worked out by hand from both lists of labels and tools/knowledge/structures.toml."""
    given = {code: structure_code(code) for code in (*PSPNET.labels, *CXAS.labels)}
    assert given["Left Hilus Pulmonis"] == "left_hilum" and given["Weasand"] == given["esophagus"] == "esophagus"
    assert given["clavicle left"] == given["Left Clavicle"] == "left_clavicle"
    assert given["right hemidiaphragm"] == "right_diaphragm" and given["tracheal bifurcation"] == "carina"
    assert given["posterior 12th rib right"] == "right_posterior_12th_rib"
    for entry in (PSPNET, CXAS):
        codes = [given[label] for label in entry.labels]
        assert len(set(codes)) == len(codes)
    known = set(structures())
    assert known - set(given.values()) == {"ribs"}, "the only structure of ours that neither model draws as one"


@pytest.mark.parametrize("shape", [(300, 500), (640, 512), (60, 40)])
def test_masks_lie_where_the_square_was_cut_out(shape: tuple[int, int]) -> None:
    """Expected: the patch's place on the film by the proportions of the middle square, to one pixel of the square."""
    logits = torch.full((2, 64, 64), -8.0)
    logits[1, 16:32, 40:56] = 8.0
    masks = on_film(("nothing", "patch"), logits, shape)
    assert masks.masks.shape == (2, *shape) and not masks.masks[0].any() and masks.quality[0] == 0
    top, left, bottom, _ = middle_square(shape)
    side = bottom - top
    rows, columns = np.nonzero(masks.masks[1])
    for found, start, expected in (
        ((rows.min(), rows.max() + 1), top, (16, 32)),
        ((columns.min(), columns.max() + 1), left, (40, 56)),
    ):
        np.testing.assert_allclose(np.subtract(found, start), np.multiply(expected, side / 64), atol=max(1, side / 64))
    assert masks.quality[1] == pytest.approx(1 / (1 + np.exp(-8.0)), abs=1e-5)


@pytest.mark.parametrize(
    ("entry", "held", "says"),
    [
        (PSPNET, {"module.x": torch.zeros(2)}, "another network"),
        (CXAS, {"model": {"head.out.conv.bias": torch.zeros(159)}}, "weights are missing"),
        (CXAS, [1, 2], "another network"),
    ],
)
def test_files_of_other_networks_raises(
    entry: CatalogEntry, held: Any, says: str, tmp_path: Path, make_film: MakeFilm
) -> None:
    torch.save(held, tmp_path / entry.source.file)
    entry = entry.model_copy(update={"source": entry.source.model_copy(update={"minimum_bytes": 0})})
    pool = ModelPool(Catalog([entry]), device="cpu", model_dir=tmp_path)
    with pytest.raises(Unavailable, match=says):
        pool.predict(Task.SEGMENT, [make_film()], model_id=entry.id)
