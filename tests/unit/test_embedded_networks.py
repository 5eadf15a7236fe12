"""The embedded networks' shapes and the way masks find back to the film."""

import hashlib
import tomllib
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file

from models import lite0, networks
from models.preprocess import Box, content_box, prepare, restore

EMBEDDED = Path(networks.__file__).parent / "embedded"
MOST_BYTES = 40_000_000


def chest(height: int, width: int) -> np.ndarray:
    """A bright film with two dark ellipses where lungs would be."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    film = 0.8 - 0.1 * rows / height - 0.2 * np.abs(columns / width - 0.5)
    for centre in (0.3, 0.7):
        inside = ((rows / height - 0.45) / 0.33) ** 2 + ((columns / width - centre) / 0.15) ** 2 < 1
        film[inside] = 0.2 + 0.1 * rows[inside] / height
    return film.astype(np.float32)


@pytest.mark.parametrize("shape", [(256, 256), (300, 700), (2100, 1700), (64, 40)])
def test_a_mask_returns_to_the_film_it_was_drawn_on(shape: tuple[int, int]) -> None:
    film = chest(*shape)
    square, geometry = prepare(film, 256)
    assert square.shape == (1, 1, 256, 256) and square.dtype == torch.float32
    assert float(square.min()) >= -1 and float(square.max()) <= 1
    drawn = (square[0] < -0.1).float()
    top, left, bottom, right = (getattr(geometry.placed, side) for side in ("top", "left", "bottom", "right"))
    inside = torch.zeros_like(drawn)
    inside[:, top:bottom, left:right] = 1
    mask = restore(drawn * inside, geometry)[0] > 0.5
    truth = film < 0.45
    assert mask.shape == shape
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.97


def test_black_and_white_borders_are_left_out() -> None:
    film = np.zeros((500, 600), dtype=np.float32)
    film[50:450, 100:520] = chest(400, 420)
    film[:, 560:] = 1.0
    assert content_box(film) == Box(50, 100, 450, 520)
    _, geometry = prepare(film, 256)
    back = restore(torch.ones(1, 256, 256), geometry)[0]
    assert back[:50].max() == 0 and back[100:400, 150:500].min() > 0.99


@pytest.mark.parametrize("film", [np.zeros((300, 200), np.float32), np.ones((200, 300), np.float32)])
def test_an_empty_film_is_kept_whole_and_finite(film: np.ndarray) -> None:
    assert content_box(film) == Box(0, 0, *film.shape)
    assert bool(torch.isfinite(prepare(film, 256)[0]).all())


def test_contrast_and_brightness_hardly_change_what_the_network_sees() -> None:
    film = chest(400, 400)
    same, _ = prepare(film, 256)
    faint, _ = prepare((0.3 + 0.4 * film).astype(np.float32), 256)
    assert torch.allclose(same, faint, atol=1e-3)


def test_the_segmenter_answers_in_the_films_geometry_and_repeats_itself() -> None:
    torch.manual_seed(0)
    network = networks.load_segmenter(networks.Segmenter().state_dict())
    film = chest(300, 420)
    first, masks = networks.segment(network, film, [0.5] * len(networks.STRUCTURES))
    second, again = networks.segment(network, film, [0.5] * len(networks.STRUCTURES))
    assert first.shape == masks.shape == (12, 300, 420)
    assert first.dtype == np.float32 and masks.dtype == np.bool_
    assert np.array_equal(first, second) and np.array_equal(masks, again)


def test_cleaning_keeps_the_largest_piece_and_fills_its_holes() -> None:
    probability = np.zeros((40, 40), dtype=np.float32)
    probability[5:25, 5:25] = 0.9
    probability[10:12, 10:12] = 0.0
    probability[30:33, 30:33] = 0.9
    cleaned = networks.clean(probability, 0.5) > 0.5
    assert cleaned[5:25, 5:25].all() and cleaned.sum() == 400
    assert not networks.clean(np.zeros((40, 40), dtype=np.float32), 0.5).any()


def test_a_heart_loses_the_tail_along_the_diaphragm_and_keeps_its_width_without_one() -> None:
    """The truth is the ellipse itself."""
    rows, columns = np.mgrid[:128, :128]
    ellipse = ((rows - 60) / 25) ** 2 + ((columns - 55) / 32) ** 2 <= 1
    tailed = ellipse.copy()
    tailed[74:80, 60:112] = True
    kept = networks.clean(tailed.astype(np.float32), 0.5, "heart") > 0.5
    assert np.flatnonzero(kept.any(axis=0))[-1] == pytest.approx(np.flatnonzero(ellipse.any(axis=0))[-1], abs=3)
    assert (kept & ellipse).sum() >= 0.98 * ellipse.sum()
    assert np.array_equal(networks.clean(ellipse.astype(np.float32), 0.5, "heart") > 0.5, ellipse)
    assert np.array_equal(networks.clean(tailed.astype(np.float32), 0.5, "left_lung") > 0.5, tailed)


def test_class_activation_maps_average_to_the_logits() -> None:
    torch.manual_seed(0)
    network = networks.load_classifier(networks.Classifier().state_dict())
    square, _ = prepare(chest(300, 300), networks.CLASSIFIER_SIDE)
    with torch.inference_mode():
        logits, cam, _ = network.forward_with_cam(square)
        plain = network(square)
    assert logits.shape == (1, 14) and cam.shape[:2] == (1, 14) and cam.ndim == 4
    assert torch.allclose(cam.mean(dim=(2, 3)), logits, atol=1e-3)
    assert torch.allclose(plain, logits, atol=1e-3)


def test_what_cells_add_to_a_peak_averages_to_it_and_follows_their_order() -> None:
    """Expected: the log-sum-exp itself (Pinheiro & Collobert 2015), whatever the cells' level."""
    cells = torch.tensor([[-3.0, -3.0], [-2.5, 1.0]])[None, None] + torch.tensor([0.0, -5.0]).view(1, 2, 1, 1)
    parts = networks.peak_parts(cells)
    assert torch.allclose(parts.mean(dim=(2, 3)), networks.peak_of(cells), atol=1e-5)
    assert torch.equal(parts.flatten(2).argsort(dim=2), cells.flatten(2).argsort(dim=2))


def test_class_activation_maps_hold_the_peaks_of_cells() -> None:
    """Expected: with a head that reads one peak alone, the map is highest where that peak's cell is."""
    network = networks.load_classifier(load_file(EMBEDDED / "embedded-classifier.safetensors"))
    index = networks.FINDINGS.index("mass")
    network.head.weight.data.zero_()
    network.head.weight.data[index, networks.AVERAGES + index] = 2.0
    square, _ = prepare(chest(300, 300), networks.CLASSIFIER_SIDE)
    with torch.inference_mode():
        cells = network.peaks(network.levels(square))[0, index]
        _, cam, _ = network.forward_with_cam(square)
    assert int(cam[0, index].argmax()) == int(cells.argmax())
    assert float(cam[0, index].max() - cam[0, index].median()) > 2.0 * float(cells.max() - cells.median())


@pytest.mark.parametrize("name", ["embedded-segmenter", "embedded-classifier", "embedded-bone-suppressor"])
def test_each_card_names_the_weights_beside_it(name: str) -> None:
    card = tomllib.loads((EMBEDDED / f"{name}.toml").read_text(encoding="utf-8"))
    digest = hashlib.sha256((EMBEDDED / f"{name}.safetensors").read_bytes()).hexdigest()
    assert (card["id"], card["sha256"], card["revision"]) == (name, digest, digest[:12])


def test_the_shipped_weights_are_small() -> None:
    assert sum(path.stat().st_size for path in EMBEDDED.glob("*.safetensors")) <= MOST_BYTES


def test_the_shipped_networks_load_in_the_order_of_their_cards() -> None:
    segmenter = tomllib.loads((EMBEDDED / "embedded-segmenter.toml").read_text(encoding="utf-8"))
    classifier = tomllib.loads((EMBEDDED / "embedded-classifier.toml").read_text(encoding="utf-8"))
    assert tuple(row["code"] for row in segmenter["structures"]) == networks.STRUCTURES
    assert tuple(row["code"] for row in classifier["findings"]) == networks.FINDINGS
    assert all(row["uncertain_low"] <= row["threshold"] <= row["uncertain_high"] for row in classifier["findings"])
    thresholds = [row["threshold"] for row in segmenter["structures"]]
    network = networks.load_segmenter(load_file(EMBEDDED / "embedded-segmenter.safetensors"))
    _, masks = networks.segment(network, chest(300, 300), thresholds)
    assert masks.shape == (12, 300, 300)
    scorer = networks.load_classifier(load_file(EMBEDDED / "embedded-classifier.safetensors"))
    square, _ = prepare(chest(300, 300), networks.CLASSIFIER_SIDE)
    with torch.inference_mode():
        assert bool(torch.isfinite(scorer(square)).all())


def test_lite0_is_timms_network() -> None:
    """Expected values: timm's tf_efficientnet_lite0 with the same random weights, on an odd and an even size."""
    reference = timm.create_model("tf_efficientnet_lite0", pretrained=False, in_chans=1, num_classes=0).eval()
    stem, stages = lite0.stem().eval(), lite0.stages().eval()
    stem[0].load_state_dict(reference.conv_stem.state_dict())
    stem[1].load_state_dict(reference.bn1.state_dict())
    stages.load_state_dict(reference.blocks.state_dict())
    for side in (64, 75):
        square = torch.rand(2, 1, side, side)
        with torch.inference_mode():
            expected = reference.blocks(reference.bn1(reference.conv_stem(square)))
            torch.testing.assert_close(stages(stem(square)), expected, rtol=1e-5, atol=1e-5)
