"""MedGemma's and LLaVA's adapter on small random models in the hub's format, against transformers token by token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import MakeFilm
from PIL import Image
from tiny_hub import VOCABULARY, folder, pool_of, words_of
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPImageProcessor,
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)  # fmt: skip

from imaging.failures import BadArguments, Unavailable
from imaging.store import ImageStore
from models.adapters.vision_language import load, messages
from models.catalog import Catalog
from models.numerics import Numerics
from models.outputs import ScoreKind, Task, Text
from models.request import Question
from prompts import prompt
from tools.contract import ToolContext
from tools.vqa import VqaData, vqa

GEMMA, LLAVA = "medgemma-4b-it", "radvlm"
IMAGE_MARKS = ("<image>", "<boi>", "<eoi>")
TEMPLATE = (
    "{% for turn in messages %}{% for part in turn['content'] %}"
    "{% if part['type'] == 'image' %}MARK {% else %}{{ part['text'] }} {% endif %}{% endfor %}{% endfor %}"
)
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("seeing")
    torch.manual_seed(4)
    write_gemma(folder(root, GEMMA))
    write_llava(folder(root, LLAVA))
    return root


def write_gemma(place: Path) -> None:
    marks = {"image_token": "<image>", "boi_token": "<boi>", "eoi_token": "<eoi>"}
    tokenizer = words_of(*IMAGE_MARKS, frame=False, extra_special_tokens=marks)
    size = {"height": 56, "width": 56}
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessor(size=size), tokenizer=tokenizer, image_seq_length=4,
        chat_template=TEMPLATE.replace("MARK", "<boi>"),
    )  # fmt: skip
    text = {
        **SMALL, "vocab_size": len(VOCABULARY) + 3, "num_key_value_heads": 1, "head_dim": 8, "sliding_window": 8,
        "initializer_range": 0.5, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
    }  # fmt: skip
    vision = {**SMALL, "image_size": 56, "patch_size": 14}
    ids = {"image_token_index": len(VOCABULARY), "boi_token_index": len(VOCABULARY) + 1}
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4, **ids)
    config.eoi_token_index = len(VOCABULARY) + 2
    Gemma3ForConditionalGeneration(config).save_pretrained(place)
    processor.save_pretrained(place)


def write_llava(place: Path) -> None:
    tokenizer = words_of("<image>", frame=False, extra_special_tokens={"image_token": "<image>"})
    size = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(**size), tokenizer=tokenizer, patch_size=14, image_token="<image>",
        vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=TEMPLATE.replace("MARK", "<image>"),
    )  # fmt: skip
    text = LlamaConfig(**SMALL, vocab_size=len(VOCABULARY) + 1, initializer_range=0.5, eos_token_id=3, pad_token_id=0)
    vision = CLIPVisionConfig(**SMALL, image_size=28, patch_size=14)
    config = LlavaConfig(text_config=text, vision_config=vision, image_token_index=len(VOCABULARY))
    config.vision_feature_layer = -1
    LlavaForConditionalGeneration(config).save_pretrained(place)
    processor.save_pretrained(place)


def rgb(film: Any) -> Image.Image:
    return Image.fromarray(np.repeat(np.rint(film.pixels * 255).astype(np.uint8)[..., None], 3, axis=2))


def by_hand(place: Path, film: Any, words: str, longest: int) -> tuple[str, bool]:
    """The likeliest token each time, from the library's processor and a forward pass over all of the text so far."""
    model, processor = AutoModelForImageTextToText.from_pretrained(place).eval(), AutoProcessor.from_pretrained(place)
    mark = "<boi>" if "gemma" in place.name else "<image>"
    inputs = processor(text=[f"{mark} {words} "], images=[[rgb(film)]], return_tensors="pt")
    ids, start = inputs["input_ids"], inputs["input_ids"].shape[1]
    with torch.inference_mode():
        while ids.shape[1] - start < longest and (ids.shape[1] == start or int(ids[0, -1]) != 3):
            more = {"attention_mask": torch.ones_like(ids), "pixel_values": inputs["pixel_values"]}
            if "token_type_ids" in inputs:
                kinds = torch.zeros_like(ids)
                kinds[:, :start] = inputs["token_type_ids"]
                more["token_type_ids"] = kinds
            logits = model(input_ids=ids, **more).logits
            ids = torch.cat([ids, logits[:, -1:].argmax(-1)], dim=1)
    new = ids[0, start:]
    return processor.decode(new, skip_special_tokens=True).strip(), 3 not in new.tolist()


@pytest.mark.parametrize("model_id", [GEMMA, LLAVA])
def test_answers_are_the_likeliest_of_transformers(model_id: str, root: Path, make_film: MakeFilm) -> None:
    films = [make_film(seed, (70, 50)) for seed in (1, 2)]
    asked = Question("is there a pleural effusion", max_new_tokens=6)
    for film, said in zip(films, pool_of(root, model_id).predict(Task.ANSWER, films, question=asked), strict=True):
        assert isinstance(said.output, Text)
        assert (said.output.text, said.output.truncated) == by_hand(root / model_id, film, asked.text, 6)
        assert said.output.text


def test_what_is_asked_holds_every_film_of_the_study_and_the_indication(make_film: MakeFilm) -> None:
    film, side, before = (make_film(seed, (30, 20 + seed)) for seed in (1, 2, 3))
    asked = Question(indication="cough", lateral=side, prior=before)
    [turn] = messages(Task.REPORT, film, asked)
    *pictures, words = turn["content"]
    assert [part["image"].size for part in pictures] == [(21, 30), (22, 30), (23, 30)]
    np.testing.assert_array_equal(np.asarray(pictures[0]["image"]), np.asarray(rgb(film)))
    expected = [prompt("models/lateral", number="2"), prompt("models/prior", number="3")]
    expected += [prompt("models/indication", indication="cough"), prompt("models/report")]
    assert words["text"] == "\n".join(expected)
    with pytest.raises(BadArguments, match="There is no question"):
        messages(Task.ANSWER, film, asked)


def test_quantised_needs_its_packages_and_a_gpu(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU it is told what is missing before anything is read."""
    entry = Catalog.read().get(GEMMA)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    needs = pytest.raises(Unavailable, match=r"in int4 needs the package bitsandbytes.*hilum\[quantised\]")
    with needs, Numerics(gpu_dtype="int4").in_force():
        load(entry, pool_of(root, GEMMA).card(GEMMA), root / GEMMA, "cuda:0")


def test_a_repository_with_code_of_its_own_is_not_run(root: Path, tmp_path: Path, make_film: MakeFilm) -> None:
    place = folder(tmp_path, GEMMA)
    (place / "model.safetensors").write_bytes((root / GEMMA / "model.safetensors").read_bytes())
    (place / "config.json").write_text('{"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}')
    (place / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(Unavailable, match="was not loaded"):
        pool_of(tmp_path, GEMMA).predict(Task.ANSWER, [make_film()], question=Question("is there"))
    assert not (tmp_path / "ran").exists()


def test_the_card_gives_no_score(root: Path) -> None:
    assert pool_of(root, GEMMA).card(GEMMA).score_kind is ScoreKind.NONE


def test_vqa_tool_gives_the_models_words_with_its_card(root: Path, make_film: MakeFilm) -> None:
    """Two films of one question: the tool tells what the model wrote of each."""
    films = ImageStore()
    seen = [films.add(make_film(seed, (70, 50))) for seed in (1, 2)]
    context = ToolContext(films=films, models=pool_of(root, GEMMA))
    question = "is there a pleural effusion"
    for film in seen:
        result = vqa.run(context, {"image_id": film.id, "question": question, "max_new_tokens": 8})
        assert isinstance(result.data, VqaData), result.failure
        words, cut = by_hand(root / GEMMA, film, question, 8)
        assert (result.data.answer, result.data.truncated) == (words, cut)
        assert result.model == GEMMA and result.card["id"] == GEMMA and not result.overlays
        assert all(row.score is None for row in result.findings)
