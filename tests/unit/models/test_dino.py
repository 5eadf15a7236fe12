"""RAD-DINO's adapter on a small random DINOv2 in the hub's format, against transformers itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MakeFilm
from PIL import Image
from tiny_hub import folder, pool_of
from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

from imaging.failures import Unavailable
from models.outputs import Embedding, ScoreKind, Task

MEAN, STD, SIDE = 0.5307, 0.2583, 28
"""Mean and deviation of RAD-DINO's preprocessor_config.json (entered from memory, unchecked); a small side."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dino")
    place = folder(root, "rad-dino")
    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=SIDE, patch_size=14, mlp_ratio=2
    )
    Dinov2Model(config).save_pretrained(place)
    processor().save_pretrained(place)
    return root


def processor() -> BitImageProcessor:
    size = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    return BitImageProcessor(image_mean=[MEAN] * 3, image_std=[STD] * 3, **size)


def test_vectors_are_the_class_tokens_of_transformers(root: Path, make_film: MakeFilm) -> None:
    """Expected: the library's processor and model, called by hand on the film as an 8-bit RGB picture."""
    films = [make_film(1), make_film(2, (200, 320))]
    model = Dinov2Model.from_pretrained(root / "rad-dino")
    pool = pool_of(root, "rad-dino")
    for film, said in zip(films, pool.predict(Task.EMBED, films), strict=True):
        picture = Image.fromarray(np.repeat(np.rint(film.pixels * 255).astype(np.uint8)[..., None], 3, axis=2))
        with torch.inference_mode():
            token = model(**processor()(images=picture, return_tensors="pt")).pooler_output[0]
        assert isinstance(said.output, Embedding) and said.output.space == "rad-dino"
        np.testing.assert_allclose(said.output.values, (token / token.norm()).numpy(), atol=1e-5)
        assert np.linalg.norm(said.output.values) == pytest.approx(1, abs=1e-5)


def test_white_and_black_films_enter_as_the_processor_scales_them(make_film: MakeFilm) -> None:
    """Expected: (1 - mean) / std for dense everywhere, -mean / std for nothing anywhere."""
    from dataclasses import replace

    from models.adapters.dino import prepare

    film = make_film()
    for level in (0.0, 1.0):
        pixels = prepare(processor(), [replace(film, pixels=np.full((60, 50), level, np.float32))])
        assert pixels.shape == (1, 3, SIDE, SIDE)
        np.testing.assert_allclose(pixels.numpy(), (level - MEAN) / STD, atol=1e-3)


def test_a_folder_that_lacks_weights_raises(root: Path, tmp_path: Path, make_film: MakeFilm) -> None:
    from safetensors.torch import load_file, save_file

    place = folder(tmp_path, "rad-dino")
    for name in ("config.json", "preprocessor_config.json"):
        (place / name).write_bytes((root / "rad-dino" / name).read_bytes())
    state = load_file(root / "rad-dino" / "model.safetensors")
    state.pop("layernorm.weight")
    save_file(state, place / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Unavailable, match=r"lacks 1 of the weights of Dinov2Model, layernorm\.weight"):
        pool_of(tmp_path, "rad-dino").predict(Task.EMBED, [make_film()])


def test_a_folder_of_another_model_raises(tmp_path: Path, make_film: MakeFilm) -> None:
    place = folder(tmp_path, "rad-dino")
    (place / "config.json").write_text('{"model_type": "dinov2"}')
    (place / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    with pytest.raises(Unavailable, match="was not loaded"):
        pool_of(tmp_path, "rad-dino").predict(Task.EMBED, [make_film()])


def test_the_card_says_what_is_not_known(root: Path) -> None:
    card = pool_of(root, "rad-dino").card("rad-dino")
    assert card.score_kind is ScoreKind.SIMILARITY and "not a probability" in card.score_meaning
    assert "Not measured by Hilum." in card.limits and card.revision.startswith("main+files.")
