"""The runners' conversations with processors and tokenizers of the documented form. Real weights are not here.

The stand-ins have the calls that the models' own code has; what they get and give is checked, not what a model would
write. With `HILUM_TEST_WEIGHTS` naming a model directory that holds a pulled model and its environment, the last test
asks the real one.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from conftest import MakeFilm
from PIL import Image

from models.catalog import Catalog
from models.outputs import Task, Text
from models.pool import ModelPool
from models.request import Question
from models.weights import pulled
from models.worker.process import RUNNERS

torch = pytest.importorskip("torch")
WEIGHTS = Path(os.environ.get("HILUM_TEST_WEIGHTS", "nowhere"))
ASKED = {"text": "", "indication": "", "phrases": [], "lateral": None, "prior": None, "max_new_tokens": 300, "seed": 0}


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch):
    """Loads a runner by its path beside a transformers of the test's."""

    def load(name: str, **classes: object) -> ModuleType:
        fake = ModuleType("transformers")
        for key, value in classes.items():
            setattr(fake, key, value)
        monkeypatch.setitem(sys.modules, "transformers", fake)
        spec = importlib.util.spec_from_file_location(f"runner_{name}", RUNNERS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


class Inputs(dict):
    """transformers' BatchFeature as far as it is used."""

    def to(self, device: str) -> Inputs:
        return Inputs({key: value.to(device) for key, value in self.items()})


class Maira:
    """The processor of MAIRA-2: prompts of three tokens, boxes as shares of the middle square."""

    phrase_start_token, phrase_end_token = "<obj>", "</obj>"

    def __init__(self, written: str) -> None:
        self.written, self.calls = written, []

    def format_and_preprocess_reporting_input(self, **given: object) -> Inputs:
        self.calls.append(given)
        return Inputs(input_ids=torch.zeros(1, 3, dtype=torch.long), pixel_values=torch.zeros(1, 3, 4, 4))

    format_and_preprocess_phrase_grounding_input = format_and_preprocess_reporting_input

    def decode(self, ids: object, skip_special_tokens: bool) -> str:
        return f" {self.written}"

    def convert_output_to_plaintext_or_grounded_sequence(self, text: str) -> object:
        found = []
        for part in re.findall(r"<obj>(.*?)</obj>", text):
            boxes = re.findall(r"<box><x(\d+)><y(\d+)><x(\d+)><y(\d+)></box>", part)
            found.append((part.partition("<box>")[0], [tuple(int(n) / 100 for n in box) for box in boxes] or None))
        assert not re.sub(r"<obj>.*?</obj>", "", text) or "<" not in text
        return found or text

    def adjust_box_for_original_image_size(self, box: tuple, width: int, height: int) -> tuple:
        """From shares of the middle square to shares of the film."""
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        x = [(value * side + left) / width for value in box[::2]]
        y = [(value * side + top) / height for value in box[1::2]]
        return (x[0], y[0], x[1], y[1])


def maira(runner, written: str, new_tokens: int = 5):
    module = runner("maira2", AutoModelForCausalLM=None, AutoProcessor=None)
    generate = lambda **given: torch.zeros(1, 3 + new_tokens, dtype=torch.long)  # noqa: E731
    processor = Maira(written)
    return module, (SimpleNamespace(dtype=torch.float32, generate=generate), processor, "cpu"), processor


def test_maira_reports_have_boxes_in_the_films_pixels_and_read_the_whole_study(runner) -> None:
    """Expected box by hand: on 300 x 200 pixels the square is rows 50 to 250; x 10 to 50 %, y 20 to 60 % of 200."""
    written = "<obj>Left effusion. <box><x10><y20><x50><y60></box></obj><obj>Heart normal.</obj>"
    module, loaded, processor = maira(runner, written)
    film, lateral, prior = (np.full((300, 200), value, np.uint8) for value in (10, 20, 30))
    request = {**ASKED, "film": film, "lateral": lateral, "prior": prior, "indication": "cough"}
    (output,) = module.answer(loaded, "report", [request])
    assert output["text"] == "Left effusion.  Heart normal." and output["phrases"] == ["Left effusion. "]
    assert output["boxes"][0] == pytest.approx([90, 20, 170, 100]) and output["truncated"] is False
    (given,) = processor.calls
    assert given["indication"] == "cough" and given["get_grounding"] is True and given["prior_report"] is None
    shown = [given[name] for name in ("current_frontal", "current_lateral", "prior_frontal")]
    assert [picture.getpixel((0, 0)) for picture in shown] == [10, 20, 30] and shown[0].size == (200, 300)


def test_maira_without_lateral_prior_and_indication_says_none(runner) -> None:
    module, loaded, processor = maira(runner, "Clear lungs.")
    (output,) = module.answer(loaded, "report", [{**ASKED, "film": np.zeros((40, 40), np.uint8)}])
    given = processor.calls[0]
    assert given["current_lateral"] is given["prior_frontal"] is given["indication"] is None
    assert output == {"kind": "Text", "text": "Clear lungs.", "boxes": [], "phrases": [], "truncated": False}


def test_maira_locates_each_phrase_alone_and_says_when_nowhere(runner) -> None:
    module, loaded, processor = maira(runner, "<obj>effusion <box><x0><y0><x50><y50></box></obj>")
    request = {**ASKED, "film": np.zeros((100, 100), np.uint8), "phrases": ["effusion", "nodule"]}
    (output,) = module.answer(loaded, "phrase", [request])
    assert [given["phrase"] for given in processor.calls] == ["effusion", "nodule"]
    assert output["phrases"] == ["effusion", "nodule"] and output["boxes"][0] == pytest.approx([0, 0, 50, 50])
    processor.written = "<obj>nodule</obj>"
    (output,) = module.answer(loaded, "phrase", [request])
    assert output["boxes"] == [] and "nodule: located nowhere on this film" in output["text"]


def test_maira_text_cut_short_keeps_its_whole_sentences(runner) -> None:
    module, loaded, _ = maira(runner, "<obj>Heart normal.</obj><obj>Left effus", new_tokens=300)
    (output,) = module.answer(loaded, "report", [{**ASKED, "film": np.zeros((9, 9), np.uint8)}])
    assert output["text"] == "Heart normal." and output["truncated"] is True


def test_maira_marks_that_do_not_add_up_cost_the_boxes_not_the_text(runner) -> None:
    module, loaded, _ = maira(runner, "<obj>Left effusion <box><x10><y20></obj> and <x3>")
    (output,) = module.answer(loaded, "report", [{**ASKED, "film": np.zeros((9, 9), np.uint8)}])
    assert output["text"] == "Left effusion and" and output["boxes"] == []


@pytest.mark.parametrize(
    ("task", "asked", "pictures", "prompt"),
    [
        ("report", {"indication": "cough"}, ["film", "lateral"],
         'Given the indication: "cough", write a structured findings section for the CXR.'),
        ("report", {}, ["film", "lateral"],
         'Given the indication: "Not provided.", write a structured findings section for the CXR.'),
        ("answer", {"text": "Is there an effusion?"}, ["film", "lateral", "prior"], "Is there an effusion?"),
    ],
)  # fmt: skip
def test_chexagent_is_asked_as_its_authors_ask(runner, task, asked, pictures, prompt) -> None:
    """Prompts: model_chexagent/chexagent.py of the authors' repository."""
    module = runner("chexagent2", AutoModelForCausalLM=None, AutoTokenizer=None)
    seen: dict[str, object] = {}

    def from_list_format(parts: list[dict[str, str]]) -> str:
        seen["pictures"] = [Path(part["image"]).stem for part in parts if "image" in part]
        seen["first"] = Image.open(parts[0]["image"]).copy()
        return parts[-1]["text"]

    def apply_chat_template(talk: list[dict[str, str]], **options: object) -> object:
        seen["talk"], seen["options"] = talk, options
        return torch.zeros(1, 4, dtype=torch.long)

    decode = lambda ids, skip_special_tokens: f" {len(ids)} new "  # noqa: E731
    tokenizer = SimpleNamespace(from_list_format=from_list_format, apply_chat_template=apply_chat_template,
                                decode=decode)  # fmt: skip
    model = SimpleNamespace(generate=lambda ids, **options: torch.zeros(1, 4 + 7, dtype=torch.long))
    film = np.arange(12, dtype=np.uint8).reshape(3, 4)
    request = {**ASKED, **asked, "film": film, "lateral": film, "prior": film}
    (output,) = module.answer((model, tokenizer, "cpu"), task, [request])
    assert seen["pictures"] == pictures and seen["options"]["add_generation_prompt"] is True
    assert np.array_equal(np.asarray(seen["first"])[..., 1], film) and seen["first"].mode == "RGB"
    assert seen["talk"] == [
        {"from": "system", "value": "You are a helpful assistant."},
        {"from": "human", "value": prompt},
    ]
    assert output["text"] == "7 new" and output["truncated"] is False


def llava(runner) -> ModuleType:
    names = ("AutoTokenizer", "CLIPImageProcessor", "LlavaForConditionalGeneration")
    configs = dict.fromkeys(("CLIPVisionConfig", "LlavaConfig", "MistralConfig"), SimpleNamespace)
    return runner("llava_med", **dict.fromkeys(names), **configs)


def test_llava_med_weights_get_the_names_of_transformers_conversion_script(runner) -> None:
    """Expected: KEYS_TO_MODIFY_MAPPING of convert_llava_weights_to_hf.py applied in its order, by str.replace."""
    mapping = {
        "model.vision_tower.": "", "model.mm_projector": "multi_modal_projector", "model": "model.model",
        "vision_model.model": "vision_model", "lm_head": "language_model.lm_head",
        "model.model": "language_model.model", "multi_modal_projector.0": "multi_modal_projector.linear_1",
        "multi_modal_projector.2": "multi_modal_projector.linear_2",
    }  # fmt: skip
    module = llava(runner)
    for name in (
        "model.embed_tokens.weight", "model.layers.31.self_attn.q_proj.weight", "model.norm.weight", "lm_head.weight",
        "model.mm_projector.0.weight", "model.mm_projector.2.bias",
        "model.vision_tower.vision_tower.vision_model.encoder.layers.3.mlp.fc1.weight",
        "model.vision_tower.vision_tower.vision_model.embeddings.class_embedding",
    ):  # fmt: skip
        expected = name
        for old, new in mapping.items():
            expected = expected.replace(old, new) if old in expected else expected
        assert module.renamed(name) == expected


def test_llava_med_sees_the_whole_film_in_a_grey_square(runner) -> None:
    """Expected: expand2square of llava/mm_utils.py, the film in the middle, untouched."""
    film = np.full((30, 20), 200, np.uint8)
    padded = np.asarray(llava(runner).square(film, 122))
    assert padded.shape == (30, 30, 3)
    assert np.all(padded[:, 5:25] == 200) and np.all(padded[:, :5] == 122) and np.all(padded[:, 25:] == 122)


def test_llava_med_prompt_has_the_picture_where_mistral_instruct_puts_it(runner) -> None:
    """Expected: conversation "mistral_instruct" of the authors gives "[INST] <image>\\nQUESTION [/INST]"."""
    module = llava(runner)
    seen: dict[str, object] = {}

    def tokenizer(text: str, add_special_tokens: bool = True) -> SimpleNamespace:
        return SimpleNamespace(input_ids=([1] if add_special_tokens else []) + [ord(letter) for letter in text])

    tokenizer.eos_token_id, tokenizer.decode = 2, lambda ids, skip_special_tokens: " yes "
    mean = (0.48, 0.46, 0.41)
    preprocess = lambda picture, return_tensors: {"pixel_values": torch.zeros(1, 3, 4, 4)}  # noqa: E731

    def generate(input_ids: object, **options: object) -> object:
        seen.update(options, ids=input_ids[0].tolist())
        return torch.cat([input_ids, torch.zeros(1, 2, dtype=torch.long)], 1)

    model = SimpleNamespace(config=SimpleNamespace(image_seq_length=9), dtype=torch.float32, generate=generate)
    pictures = SimpleNamespace(image_mean=mean, preprocess=preprocess)
    request = {**ASKED, "text": "Where?", "film": np.zeros((3, 4), np.uint8)}
    (output,) = module.answer((model, tokenizer, pictures, "cpu"), "answer", [request])
    words = "".join("<image>" if value == 0 else chr(value) for value in seen["ids"][1:])
    assert seen["ids"][0] == 1 and words.replace("<image>" * 9, "<image>") == "[INST] <image>\nWhere? [/INST]"
    assert output["text"] == "yes" and seen["do_sample"] is False


@pytest.mark.weights
@pytest.mark.parametrize("item", [item for item in Catalog.read() if item.worker], ids=lambda item: item.id)
def test_the_real_model_writes_of_a_film(item, make_film: MakeFilm) -> None:
    """What it writes is not judged: it must come, and its boxes must lie on the film (models.adapters.worker)."""
    folder = WEIGHTS
    if not (folder / item.id).is_dir():
        pytest.skip(f"{item.id} is not in HILUM_TEST_WEIGHTS: its real weights were never run here")
    trusted = f"{item.id}@{pulled(item, folder / item.id)['revision']}"
    pool = ModelPool(Catalog([item]), model_dir=folder, profile="full", trust_remote_code=trusted)
    try:
        for task in item.tasks:
            question = Question("Is there an effusion?", phrases=("effusion",) if task is Task.PHRASE else ())
            (found,) = pool.predict(task, [make_film()], question=question)
            assert isinstance(found.output, Text) and found.output.text
    finally:
        pool.close()
