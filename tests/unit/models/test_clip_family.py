"""Zero-shot models on small random ones in the formats of transformers (SigLIP) and open_clip (BiomedCLIP)."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import MakeFilm
from PIL import Image
from tiny_hub import VOCABULARY, folder, pool_of, words_of
from transformers import AutoTokenizer, BertConfig, SiglipConfig, SiglipImageProcessor, SiglipModel

from imaging.failures import BadArguments, Unavailable
from imaging.radiograph import Radiograph
from models.numerics import Numerics
from models.outputs import Embedding, Heatmaps, ScoreKind, Scores, Task
from models.pool import ModelPool
from models.request import Question, Request

SIGLIP, BIOMEDCLIP = "medsiglip-448", "biomedclip"
SIDE, LONGEST = 32, 12
PHRASES = ("large left pleural effusion", "pneumothorax")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SigLIP without position embeddings of patches, so that a uniform film has uniform cells, and a BiomedCLIP."""
    root = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    write_siglip(folder(root, SIGLIP))
    write_open_clip(folder(root, BIOMEDCLIP))
    return root


def write_siglip(place: Path) -> None:
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    text = {**small, "vocab_size": len(VOCABULARY), "max_position_embeddings": LONGEST, "pad_token_id": 0}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config={**small, "image_size": SIDE, "patch_size": 8}))
    with torch.no_grad():
        model.logit_scale.fill_(2.0)
        model.logit_bias.fill_(-3.0)
        model.vision_model.embeddings.position_embedding.weight.zero_()
    model.save_pretrained(place)
    siglip_processor().save_pretrained(place)
    words_of().save_pretrained(place)


def siglip_processor() -> SiglipImageProcessor:
    return SiglipImageProcessor(size={"height": SIDE, "width": SIDE})


def write_open_clip(place: Path) -> None:
    """As BiomedCLIP's folder is: the text tower named by a hub repository, weights in a file of torch.save."""
    open_clip = pytest.importorskip("open_clip")
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertConfig(vocab_size=len(VOCABULARY), **small).save_pretrained(place)
    words_of().save_pretrained(place)
    text = {
        "hf_model_name": str(place), "hf_tokenizer_name": str(place), "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler", "context_length": LONGEST, "hf_model_pretrained": False,
    }  # fmt: skip
    vision = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "", "timm_proj": "linear", "image_size": 224}
    model = open_clip.CustomTextCLIP(embed_dim=16, vision_cfg=dict(vision), text_cfg=dict(text))
    with torch.no_grad():
        model.visual.trunk.pos_embed.zero_()
    torch.save(model.state_dict(), place / "open_clip_pytorch_model.bin")
    hub = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
    del text["hf_model_pretrained"]
    told = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": {**text, "hf_model_name": hub, "hf_tokenizer_name": hub}}
    look = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}
    (place / "open_clip_config.json").write_text(json.dumps({"model_cfg": told, "preprocess_cfg": look}))


@functools.cache
def loaded(root: Path, model_id: str) -> ModelPool:
    """One pool per model for all tests of this file: BiomedCLIP's takes seconds to load."""
    return pool_of(root, model_id)


def rgb(film: Radiograph) -> Image.Image:
    return Image.fromarray(np.repeat(np.rint(film.pixels * 255).astype(np.uint8)[..., None], 3, axis=2))


def said(root: Path, model_id: str, task: Task, films: list[Radiograph], *phrases: str) -> list[Any]:
    answers = loaded(root, model_id).predict(task, films, question=Question(phrases=phrases) if phrases else None)
    return [answer.output for answer in answers]


def siglip_share(root: Path, film: Radiograph) -> np.ndarray:
    """transformers' own logits_per_image, as a softmax over each phrase and its denial."""
    model, tokenizer = (kind.from_pretrained(root / SIGLIP) for kind in (SiglipModel, AutoTokenizer))
    texts = [text for phrase in PHRASES for text in (phrase, f"no {phrase}")]
    tokens = tokenizer(texts, padding="max_length", max_length=LONGEST, return_tensors="pt")["input_ids"]
    pixels = siglip_processor()(images=rgb(film), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        logits = model(input_ids=tokens, pixel_values=pixels).logits_per_image
    return torch.softmax(logits.reshape(len(PHRASES), 2), dim=1)[:, 0].numpy()


def open_clip_share(root: Path, film: Radiograph) -> np.ndarray:
    """open_clip's own model, transform and tokenizer, its shape of text tower given by hand."""
    import open_clip

    place = root / BIOMEDCLIP
    told = json.loads((place / "open_clip_config.json").read_text())
    text = {**told["model_cfg"]["text_cfg"], "hf_model_name": str(place), "hf_model_pretrained": False}
    model = open_clip.create_model(f"local-dir:{place}", text_cfg=text).eval()
    look = told["preprocess_cfg"]
    transform = open_clip.image_transform(224, is_train=False, mean=look["mean"], std=look["std"])
    texts = [text for phrase in PHRASES for text in (phrase, f"no {phrase}")]
    tokens = open_clip.get_tokenizer(f"local-dir:{place}")(texts)
    with torch.inference_mode():
        seen = model.encode_image(transform(rgb(film))[None], normalize=True)
        logits = model.logit_scale.exp() * seen @ model.encode_text(tokens, normalize=True).T
    return torch.softmax(logits.reshape(len(PHRASES), 2), dim=1)[:, 0].numpy()


@pytest.mark.parametrize("model_id", [SIGLIP, BIOMEDCLIP])
def test_scores_and_heatmaps_in_bfloat16_are_nearly_the_same(model_id: str, root: Path, make_film: MakeFilm) -> None:
    """As on a GPU. Expected: those of float32, to the 8 bits that bfloat16 keeps."""
    film, asked = make_film(1, (60, 80)), Question(phrases=PHRASES)
    half = pool_of(root, model_id, Numerics(cpu_dtype="bfloat16"))
    for task in (Task.ZERO_SHOT, Task.PHRASE):
        [ours] = half.predict(task, [film], question=asked)
        [theirs] = loaded(root, model_id).predict(task, [film], question=asked)
        assert isinstance(ours.output, Scores | Heatmaps) and isinstance(theirs.output, Scores | Heatmaps)
        np.testing.assert_allclose(ours.output.values, theirs.output.values, atol=2e-2)
        assert ours.output.values.dtype == np.float32


@pytest.mark.parametrize(("model_id", "share"), [(SIGLIP, siglip_share), (BIOMEDCLIP, open_clip_share)])
def test_scores_are_the_librarys_softmax_of_phrase_and_denial(
    model_id: str, share: Any, root: Path, make_film: MakeFilm
) -> None:
    films = [make_film(1, (60, 80)), make_film(2, (300, 240))]
    for film, scores in zip(films, said(root, model_id, Task.ZERO_SHOT, films, *PHRASES), strict=True):
        assert isinstance(scores, Scores) and scores.codes == PHRASES
        np.testing.assert_allclose(scores.values, share(root, film), atol=2e-5)


@pytest.mark.parametrize("model_id", [SIGLIP, BIOMEDCLIP])
def test_a_patch_that_differs_is_where_the_heatmap_differs(model_id: str, root: Path, make_film: MakeFilm) -> None:
    """Truth: a grey film with one white patch, in the top row and the last column of cells."""
    pixels = np.full((448, 448), 0.3, np.float32)
    cells = 4 if model_id == SIGLIP else 14
    pixels[: 448 // cells, -448 // cells :] = 1.0
    film = replace(make_film(), id="patch", pixels=pixels)
    [heat] = said(root, model_id, Task.PHRASE, [film], *PHRASES)
    assert isinstance(heat, Heatmaps) and heat.maps.shape == (2, cells, cells) and heat.codes == PHRASES
    for grid in heat.maps:
        odd = np.abs(grid - np.median(grid))
        assert np.unravel_index(odd.argmax(), odd.shape) == (0, cells - 1)


def test_a_cell_scores_as_a_film_that_looks_like_it(root: Path, make_film: MakeFilm) -> None:
    """Truth: on a uniform film and without position embeddings every SigLIP cell has the whole film's score."""
    film = replace(make_film(), id="flat", pixels=np.full((64, 64), 0.7, np.float32))
    [heat] = said(root, SIGLIP, Task.PHRASE, [film], *PHRASES)
    [scores] = said(root, SIGLIP, Task.ZERO_SHOT, [film], *PHRASES)
    np.testing.assert_allclose(heat.values, scores.values, atol=1e-6)
    np.testing.assert_allclose(heat.maps, np.broadcast_to(heat.values[:, None, None], heat.maps.shape), atol=1e-5)


def test_the_extent_is_what_the_model_saw(root: Path, make_film: MakeFilm) -> None:
    """SigLIP stretches all of the film; open_clip keeps the middle square."""
    film = make_film(5, (200, 320))
    assert said(root, SIGLIP, Task.PHRASE, [film], "heart")[0].extent == (0, 0, 200, 320)
    assert said(root, BIOMEDCLIP, Task.PHRASE, [film], "heart")[0].extent == (0, 60, 200, 260)


@pytest.mark.parametrize("model_id", [SIGLIP, BIOMEDCLIP])
def test_films_and_texts_share_a_space(model_id: str, root: Path, make_film: MakeFilm) -> None:
    film = make_film(6, (64, 64))
    pool = loaded(root, model_id)
    [seen] = pool.predict(Task.EMBED, [film])
    [read] = pool.ask(Task.EMBED_TEXT, [Request(None, Question("normal heart"))])
    assert isinstance(seen.output, Embedding) and isinstance(read.output, Embedding)
    assert seen.output.space == read.output.space == model_id
    assert np.linalg.norm(seen.output.values) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(read.output.values) == pytest.approx(1, abs=1e-5)


def test_pixels_enter_siglip_as_its_own_processor_makes_them(root: Path, make_film: MakeFilm) -> None:
    from models.adapters.clip_siglip import siglip_pair
    from models.catalog import Catalog

    film = make_film(7, (90, 70))
    pair = siglip_pair(Catalog.read().get(SIGLIP), root / SIGLIP, "cpu")
    ours, theirs = pair.pixels([film])[0], siglip_processor()(images=rgb(film), return_tensors="pt")["pixel_values"][0]
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    white = pair.pixels([replace(film, pixels=np.ones((90, 70), np.float32))])
    np.testing.assert_allclose(white.numpy(), 1.0, atol=1e-6)


def test_no_phrase_raises_and_cards_disclaim(root: Path, make_film: MakeFilm) -> None:
    pool = loaded(root, SIGLIP)
    for phrases in ((), ("heart", " ")):
        with pytest.raises(BadArguments, match="no phrase to look for"):
            pool.predict(Task.ZERO_SHOT, [make_film()], question=Question(phrases=phrases))
    card = pool.card(SIGLIP)
    assert card.score_kind is ScoreKind.SIMILARITY and "not a probability" in card.score_meaning


def test_biomedclip_without_open_clip_says_how_to_get_it(
    root: Path, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"open_clip, which is not installed.*hilum\[full\]"):
        pool_of(root, BIOMEDCLIP).predict(Task.EMBED, [make_film()])
