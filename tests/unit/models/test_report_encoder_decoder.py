"""The SwinV2/BERT report writers' adapter on a small random one in the hub's format, against transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MakeFilm
from PIL import Image
from tiny_hub import VOCABULARY, folder, pool_of, words_of
from transformers import (
    BertConfig,
    Swinv2Config,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTImageProcessor,
)

from models.outputs import ScoreKind, Task, Text
from models.request import Question, Request

WRITER = "cxr-findings-baseline"
SIDE = 32
CLS, SEP = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    place = folder(root, WRITER)
    torch.manual_seed(2)
    swin = Swinv2Config(image_size=SIDE, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4)
    bert = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=24, initializer_range=0.5,
    )  # fmt: skip
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(swin, bert)
    config.pad_token_id = 0
    VisionEncoderDecoderModel(config).save_pretrained(place)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(place)
    words_of().save_pretrained(place)
    return root


def by_hand(model: VisionEncoderDecoderModel, film: np.ndarray, longest: int) -> list[int]:
    """Token after token, always the likeliest, on the film as an 8-bit RGB picture at the encoder's size."""
    picture = Image.fromarray(np.repeat(np.rint(film * 255).astype(np.uint8)[..., None], 3, axis=2))
    pixels = ViTImageProcessor(size={"height": SIDE, "width": SIDE})(images=picture, return_tensors="pt").pixel_values
    ids = [CLS]
    with torch.inference_mode():
        while len(ids) <= longest and ids[-1] != SEP:
            logits = model(pixel_values=pixels, decoder_input_ids=torch.tensor([ids])).logits
            ids.append(int(logits[0, -1].argmax()))
    return ids


def test_text_is_the_likeliest_of_transformers(root: Path, make_film: MakeFilm) -> None:
    """Also: the film is seen at the encoder's size, whatever the folder's processor says; batches change nothing."""
    model = VisionEncoderDecoderModel.from_pretrained(root / WRITER).eval()
    films = [make_film(seed, (80, 60)) for seed in (1, 2)]
    asked = [Request(films[0], Question(max_new_tokens=9)), Request(films[1], Question(max_new_tokens=4))]
    for request, said in zip(asked, pool_of(root, WRITER).ask(Task.REPORT, asked), strict=True):
        ids = by_hand(model, request.film.pixels, request.question.max_new_tokens)
        assert isinstance(said.output, Text)
        assert said.output.text == words_of().decode(ids, skip_special_tokens=True)
        assert said.output.truncated == (SEP not in ids)
        assert said.output.text


def test_a_longer_text_than_the_decoder_has_places_for_ends_there(root: Path, make_film: MakeFilm) -> None:
    [said] = pool_of(root, WRITER).predict(Task.REPORT, [make_film()], question=Question(max_new_tokens=500))
    assert len(said.output.text.split()) <= 23


def test_the_card_gives_no_score(root: Path) -> None:
    card = pool_of(root, WRITER).card(WRITER)
    assert card.score_kind is ScoreKind.NONE and any("every sentence needs a reader" in limit for limit in card.limits)
