"""The classifier's pretraining: drawn films' truth, what counts in the loss, and which weights learn."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from imaging.phantom import parse_finding
from models.networks import CLASSIFIER_SIDE, FINDINGS, FIRST_LEVEL
from models.preprocess import prepare
from models.recipes import findings_phantoms, pretraining
from models.recipes.findings_phantoms import GRID, draw_spec, regions, shares, truth_of, zone_of
from models.recipes.pretraining import OUTPUTS, Lessons, changed, loss_of, pretrained

EFFUSION, NODULE, FIBROSIS = (FINDINGS.index(code) for code in ("effusion", "nodule", "fibrosis"))


def two_lungs() -> dict[str, np.ndarray]:
    """Masks of a 90 x 100 film: the patient's right lung left of the heart, the left lung right of it."""
    masks = {name: np.zeros((90, 100), dtype=np.bool_) for name in findings_phantoms.PARTS}
    masks["right_lung"][15:75, 10:40] = True
    masks["left_lung"][15:75, 60:90] = True
    masks["heart"][45:75, 40:60] = True
    return masks


def lessons(count: int) -> Lessons:
    """Noise in which every second film has a bright corner, said to be an effusion lying there."""
    generator = torch.Generator().manual_seed(0)
    squares = torch.randint(0, 80, (count, 1, CLASSIFIER_SIDE, CLASSIFIER_SIDE), generator=generator, dtype=torch.uint8)
    labels, cells = torch.zeros(count, len(OUTPUTS)), torch.zeros(count, len(OUTPUTS), GRID, GRID)
    squares[::2, :, 200:280, 40:120] = 250
    labels[::2, EFFUSION] = 1
    cells[::2, EFFUSION, 12:17, 2:7] = 1  # 200 to 280 and 40 to 120 of 320 pixels are cells 12.5 to 17.5 and 2.5 to 7.5
    known = torch.ones_like(labels)
    return Lessons(squares, labels, known, cells, known.clone())


def test_drawn_films_repeat_and_show_every_finding_on_both_sides() -> None:
    specs = [draw_spec(seed) for seed in range(400)]
    assert specs[7] == draw_spec(7)
    drawn = {(finding.code, finding.side) for spec in specs for finding in spec.findings}
    for code in findings_phantoms.RANGES:
        sided = code not in ("cardiomegaly", "hernia")
        assert {side for name, side in drawn if name == code} >= ({"left", "right"} if sided else {None})
    shares_of_normal = np.mean([not any(f.code in FINDINGS for f in spec.findings) for spec in specs])
    # Four standard errors of a share of 400 around NORMAL_SHARE.
    assert abs(shares_of_normal - findings_phantoms.NORMAL_SHARE) < 4 * (0.25 * 0.75 / 400) ** 0.5


def test_a_zone_is_a_third_of_the_lung() -> None:
    lung = two_lungs()["left_lung"]
    upper = zone_of(lung, "upper")
    assert upper[15:35, 60:90].all() and upper.sum() == 20 * 30
    assert (zone_of(lung, None) == lung).all()


def test_findings_lie_on_the_patients_side() -> None:
    masks = two_lungs()
    rounded = np.zeros((90, 100), dtype=np.bool_)
    rounded[20:24, 70:74] = rounded[60:64, 20:24] = True
    asked = [parse_finding(text) for text in ("effusion:right:400ml", "nodule:left:upper:10mm", "cardiomegaly:0.6")]
    found = regions([*asked, parse_finding("ett:50mm")], masks, rounded)
    assert found[EFFUSION, 55:75, 10:40].all() and not found[EFFUSION, :, 50:].any()
    assert found[NODULE, 20:24, 70:74].all() and found[NODULE].sum() == 16
    assert (found[FINDINGS.index("cardiomegaly")] == masks["heart"]).all()
    assert not found[FIBROSIS].any()


def test_shares_add_up_to_the_regions_area() -> None:
    film = np.random.default_rng(0).random((90, 100)).astype(np.float32)
    _, geometry = prepare(film, CLASSIFIER_SIDE)
    cells = shares(two_lungs()["left_lung"][None], geometry)[0] / 255.0
    # 60 x 30 pixels of a film whose 100 columns fill the 20 cells: (60 / 5) x (30 / 5) cells.
    assert cells.sum() == pytest.approx(12 * 6, rel=0.02)
    assert cells[:, : GRID // 2].sum() == 0


def test_large_findings_are_clear_and_small_ones_are_not() -> None:
    masks, film = two_lungs(), np.random.default_rng(0).random((90, 100)).astype(np.float32)
    asked = (parse_finding("effusion:left:800ml"), parse_finding("fibrosis:left:0.2"))
    truth = truth_of(film, asked, masks, np.zeros((90, 100), dtype=np.bool_))
    assert truth["labels"].sum() == 2 and truth["labels"][[EFFUSION, FIBROSIS]].all()
    assert truth["clear"][EFFUSION] and not truth["clear"][FIBROSIS]


def test_what_is_not_known_does_not_count() -> None:
    taught = lessons(4)
    generator = torch.Generator().manual_seed(1)
    cells = torch.randn(4, len(OUTPUTS), GRID, GRID, generator=generator)
    films = torch.randn(4, len(OUTPUTS), generator=generator)
    known = taught.known.clone()
    known[:, NODULE] = 0
    unsure = Lessons(taught.squares, taught.labels, known, taught.regions, known)
    before = loss_of(cells, films, unsure)
    unsure.labels[:, NODULE] = 1
    films[:, NODULE], cells[:, NODULE] = 9.0, -9.0
    assert torch.allclose(loss_of(cells, films, unsure), before)


def test_regions_move_with_their_films() -> None:
    taught = lessons(8)
    grey, moved = changed(taught, torch.arange(8), torch.Generator().manual_seed(3))
    for row in range(0, 8, 2):
        bright = functional.adaptive_avg_pool2d((grey[row] > 0.6).float(), GRID)[0]
        region = moved.regions[row, EFFUSION]
        lines = torch.arange(GRID).float()
        for axis in (0, 1):
            centres = [(cells.sum(dim=1 - axis) * lines).sum() / cells.sum() for cells in (bright, region)]
            assert abs(centres[0] - centres[1]) < 1.0  # half a cell is the drawn region's own offset


def test_only_the_late_stages_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    start = pretraining.Classifier()
    monkeypatch.setattr(pretraining, "initialised_classifier", lambda: start)
    before = {name: value.clone() for name, value in start.state_dict().items()}
    network = pretrained(lessons(16), epochs=2)
    assert not network.training
    changed_stages = {
        name.split(".")[1]
        for name, value in network.state_dict().items()
        if name.startswith("stages.") and not torch.equal(value, before[name])
    }
    assert changed_stages == {str(index) for index in range(FIRST_LEVEL + 1, 7)}
    assert torch.equal(network.state_dict()["stem.0.weight"], before["stem.0.weight"])
