"""MedSAM's adapter on a small random SAM in the hub's format, against transformers and the authors' own steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MakeFilm
from skimage import transform
from tiny_hub import folder, pool_of
from transformers import SamConfig, SamModel

from imaging.failures import BadArguments
from models.adapters.medsam import prepare
from models.outputs import Masks, ScoreKind, Task
from models.request import Question

SIDE = 64
MEDSAM = "medsam-vit-base"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sam")
    torch.manual_seed(1)
    vision = {
        "hidden_size": 16, "output_channels": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "mlp_dim": 32,
        "image_size": SIDE, "patch_size": 16, "window_size": 2, "global_attn_indexes": [0], "num_pos_feats": 8,
    }  # fmt: skip
    prompts = {"hidden_size": 16, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4}
    decoder = {
        "hidden_size": 16, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16, "num_hidden_layers": 2,
    }  # fmt: skip
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)
    SamModel(config).save_pretrained(folder(root, MEDSAM))
    return root


def authors_square(pixels: np.ndarray) -> np.ndarray:
    """The steps of MedSAM_Inference.py (bowang-lab/MedSAM) on an 8-bit picture of three channels."""
    eight = np.repeat(np.rint(pixels * 255).astype(np.uint8)[:, :, None], 3, axis=-1)
    square = transform.resize(eight, (SIDE, SIDE), order=3, preserve_range=True, anti_aliasing=True).astype(np.uint8)
    spread = np.clip(square.max() - square.min(), a_min=1e-8, a_max=None)
    return np.moveaxis((square - square.min()) / spread, -1, 0)


def test_films_enter_as_the_authors_prepare_them(make_film: MakeFilm) -> None:
    film = make_film(3, (150, 240))
    ours = prepare(film.pixels, SIDE)
    assert ours.shape == (3, SIDE, SIDE) and ours.min() == 0 and ours.max() == 1
    np.testing.assert_allclose(ours, authors_square(film.pixels), atol=1e-6)


def test_masks_are_those_of_transformers_in_the_films_own_geometry(root: Path, make_film: MakeFilm) -> None:
    """Expected: SamModel called by hand with x before y on the authors' square; sigmoid, then resized to the film."""
    film = make_film(4, (150, 240))
    height, width = film.shape
    box, points = (30.0, 60.0, 120.0, 200.0), ((40.0, 180.0, 1), (100.0, 20.0, 0))
    model = SamModel.from_pretrained(root / MEDSAM)
    pixels = torch.tensor(authors_square(film.pixels), dtype=torch.float32)[None]
    to_x, to_y = SIDE / width, SIDE / height
    asked = (
        {"input_boxes": torch.tensor([[[60 * to_x, 30 * to_y, 200 * to_x, 120 * to_y]]])},
        {
            "input_points": torch.tensor([[[[180 * to_x, 40 * to_y], [20 * to_x, 100 * to_y]]]]),
            "input_labels": torch.tensor([[[1, 0]]]),
        },
    )
    [said] = pool_of(root, MEDSAM).predict(Task.PROMPTED, [film], question=Question(boxes=(box,), points=points))
    assert isinstance(said.output, Masks) and said.output.codes == ("box_1", "points")
    assert said.output.masks.shape == (2, height, width) and said.output.masks.dtype == bool
    for number, prompts in enumerate(asked):
        with torch.inference_mode():
            low = torch.sigmoid(model(pixel_values=pixels, multimask_output=False, **prompts).pred_masks[0])
        soft = torch.nn.functional.interpolate(low, size=film.shape, mode="bilinear", align_corners=False)[0, 0].numpy()
        sure = np.abs(soft - 0.5) > 1e-4
        np.testing.assert_array_equal(said.output.masks[number][sure], (soft > 0.5)[sure])
        expected = soft[soft > 0.5].mean() if (soft > 0.5).any() else 0
        assert said.output.quality[number] == pytest.approx(expected, abs=1e-3)
    assert said.card.score_kind is ScoreKind.MASK_PROBABILITY


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (Question(text="the heart"), "neither a box nor a point"),
        (Question(boxes=((10, 10, 10, 50),)), "does not lie on the film of 150 rows and 240 columns"),
        (Question(boxes=((10, 10, 151, 50),)), "does not lie on the film"),
        (Question(points=((10, 240, 1),)), "is not on the film"),
        (Question(points=((10, 20, 2),)), "or wrong"),
    ],
)
def test_prompts_off_the_film_raise(question: Question, says: str, root: Path, make_film: MakeFilm) -> None:
    with pytest.raises(BadArguments, match=says):
        pool_of(root, MEDSAM).predict(Task.PROMPTED, [make_film(4, (150, 240))], question=question)


def test_a_film_of_one_grey_level_is_not_divided_by_nothing(make_film: MakeFilm) -> None:
    flat = replace(make_film(), pixels=np.full((50, 40), 0.3, np.float32))
    assert not prepare(flat.pixels, SIDE).any()
