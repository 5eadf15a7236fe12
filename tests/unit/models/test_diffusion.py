"""The generator's adapter on a small random pipeline in diffusers' folder format, against diffusers itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_hub import pool_of

from imaging.failures import BadArguments, Unavailable
from models.adapters import diffusion
from models.outputs import Picture, ScoreKind, Task
from models.request import Question, Request

diffusers = pytest.importorskip("diffusers")
SIDE, STEPS = 32, 2


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    root = tmp_path_factory.mktemp("drawn")
    torch.manual_seed(0)
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz")]
    vocabulary = {word: number for number, word in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
    text = CLIPTextConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=20, bos_token_id=len(letters), eos_token_id=len(letters) + 1,
    )  # fmt: skip
    blocks = {"block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": 8}
    pipeline = diffusers.StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, **blocks
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=20),
        unet=diffusers.UNet2DConditionModel(
            sample_size=SIDE // 2, cross_attention_dim=16, attention_head_dim=8,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), **blocks,
        ),
        scheduler=diffusers.DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(root / "roentgen")
    return root


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffusion, "STEPS", STEPS)


def draw(root: Path, *questions: Question) -> list[Picture]:
    pool = pool_of(root, "roentgen", input_size=SIDE)
    said = pool.ask(Task.GENERATE, [Request(None, question) for question in questions])
    assert all(isinstance(item.output, Picture) for item in said)
    return [item.output for item in said]


def test_a_film_is_what_diffusers_draws_with_that_seed(root: Path) -> None:
    """Expected: the library's pipeline called by hand, its three channels averaged."""
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(root / "roentgen", safety_checker=None)
    first, again, other = draw(root, Question("a", seed=1), Question("a b", seed=1), Question("a", seed=2))
    expected = pipeline(
        "a", num_inference_steps=STEPS, guidance_scale=4.0, height=SIDE, width=SIDE, output_type="np",
        generator=torch.Generator("cpu").manual_seed(1),
    ).images[0]  # fmt: skip
    assert first.what == "generated" and first.pixels.shape == (SIDE, SIDE) and first.pixels.dtype == np.float32
    np.testing.assert_allclose(first.pixels, expected.mean(axis=-1), atol=1e-5)
    assert first.pixels.min() >= 0 and first.pixels.max() <= 1
    assert not np.array_equal(first.pixels, other.pixels) and not np.array_equal(first.pixels, again.pixels)


def test_no_words_raises(root: Path) -> None:
    with pytest.raises(BadArguments, match="no words to draw from"):
        draw(root, Question(" "))


def test_parts_of_another_library_are_not_imported(root: Path, tmp_path: Path) -> None:
    """A folder names the classes of its parts; only those of diffusers and transformers are looked up."""
    place = tmp_path / "roentgen"
    (place / "unet").mkdir(parents=True)
    source = root / "roentgen"
    told = json.loads((source / "model_index.json").read_text())
    (place / "model_index.json").write_text(json.dumps({**told, "scheduler": ["antigravity", "Fly"]}))
    weights = next(source.rglob("unet/*.safetensors"))
    (place / "unet" / weights.name).write_bytes(weights.read_bytes())
    with pytest.raises(Unavailable, match="names parts of 'antigravity'"):
        draw(tmp_path, Question("a"))


def test_without_weights_it_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"roentgen is not there.*Put roentgen into"):
        draw(tmp_path, Question("a"))


def test_the_card_gives_no_score(root: Path) -> None:
    card = pool_of(root, "roentgen").card("roentgen")
    assert card.score_kind is ScoreKind.NONE and any("shows no patient" in limit for limit in card.limits)
    assert card.revision.startswith("unknown+files.")
