"""LLaVA-Med v1.5 (Microsoft): answers to questions about a picture.

The weights are the authors'; the network is transformers' own LLaVA, so that no code of theirs runs. Names of the
weights change as in transformers' conversion script (models/llava/convert_llava_weights_to_hf.py). Prompt, padding and
the place of the picture are those of the authors' code (github.com/microsoft/LLaVA-Med, llava/eval/model_vqa.py and
llava/mm_utils.py, conversation "mistral_instruct").
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import (
    AutoTokenizer,
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    MistralConfig,
)

RENAMED = (
    ("model.vision_tower.vision_tower.", "vision_tower."),
    ("model.mm_projector.0.", "multi_modal_projector.linear_1."),
    ("model.mm_projector.2.", "multi_modal_projector.linear_2."),
    ("model.", "language_model.model."),
    ("lm_head.", "language_model.lm_head."),
)
"""(beginning of a weight's name there, here); the first that fits counts."""

CLIP_LARGE_336 = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
    "image_size": 336, "patch_size": 14, "projection_dim": 768,
}  # fmt: skip
"""openai/clip-vit-large-patch14-336, the encoder that config.json names (its own config.json; entered from memory)."""

PROMPT = ("[INST] ", "\n{question} [/INST]")
"""Before and after the picture."""

PICTURE_ID = 0
"""Stands for the picture among the words: the unknown word, which a tokenizer with byte fallback never gives."""


def load(folder: str, device: str, dtype: str, trust_remote_code: bool) -> Any:
    """(model, tokenizer, image processor, device) from the files in a folder.

    Args:
        folder: of the model's repository.
        device: "cpu" or "cuda:N".
        dtype: a dtype of torch, by name.
        trust_remote_code: handed on; this model has no code of its own.
    """
    facts = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    config = configuration(facts)
    weights = {}
    for part in sorted(Path(folder).glob("*.safetensors")):
        weights.update({renamed(name): value for name, value in load_file(part).items()})
    network: Any = LlavaForConditionalGeneration
    model, told = network.from_pretrained(
        None, config=config, state_dict=weights, torch_dtype=getattr(torch, dtype), output_loading_info=True,
        trust_remote_code=trust_remote_code,
    )  # fmt: skip
    if told["missing_keys"]:
        raise ValueError(f"{folder} lacks {len(told['missing_keys'])} weights, {told['missing_keys'][0]} among them")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
    side = config.vision_config.image_size
    pictures = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    return model.eval().to(device), tokenizer, pictures, device


def answer(loaded: Any, task: str, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One text per request."""
    return [_one(loaded, request) for request in requests]


def configuration(facts: dict[str, Any]) -> Any:
    """transformers' configuration from the authors' config.json.

    Args:
        facts: the file's content; `vision_config`, where there is one, in place of CLIP_LARGE_336.
    """
    text = {key: value for key, value in facts.items() if not key.startswith(("mm_", "tune_", "freeze_"))}
    for name in ("model_type", "architectures", "vision_config", "transformers_version", "_name_or_path"):
        text.pop(name, None)
    vision: Any = CLIPVisionConfig(**facts.get("vision_config", CLIP_LARGE_336))
    return LlavaConfig(
        vision_config=vision,
        text_config=MistralConfig(**text),
        image_token_index=PICTURE_ID,
        image_seq_length=(vision.image_size // vision.patch_size) ** 2,
        projector_hidden_act="gelu",
        vision_feature_layer=facts.get("mm_vision_select_layer", -2),
        vision_feature_select_strategy="default"
        if facts.get("mm_vision_select_feature", "patch") == "patch"
        else "full",
    )


def renamed(name: str) -> str:
    """The name that a weight of the authors' file has in transformers."""
    return next((new + name[len(old) :] for old, new in RENAMED if name.startswith(old)), name)


def square(film: Any, grey: int) -> Any:
    """A grey picture in the middle of a square, the rest in one grey, as RGB.

    Args:
        film: uint8 [H, W].
        grey: 0 to 255.
    """
    rows, cols = film.shape
    side = max(rows, cols)
    padded = Image.new("L", (side, side), grey)
    padded.paste(Image.fromarray(film), ((side - cols) // 2, (side - rows) // 2))
    return padded.convert("RGB")


def _one(loaded: Any, request: dict[str, Any]) -> dict[str, Any]:
    model, tokenizer, pictures, device = loaded
    grey = int(255 * sum(pictures.image_mean) / len(pictures.image_mean))
    pixels = pictures.preprocess(square(request["film"], grey), return_tensors="pt")["pixel_values"]
    before = tokenizer(PROMPT[0]).input_ids
    after = tokenizer(PROMPT[1].format(question=request["text"]), add_special_tokens=False).input_ids
    ids = torch.tensor([[*before, *[PICTURE_ID] * model.config.image_seq_length, *after]], device=device)
    with torch.inference_mode():
        written = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=pixels.to(device, model.dtype),
            do_sample=False,
            use_cache=True,
            max_new_tokens=request["max_new_tokens"],
            pad_token_id=tokenizer.eos_token_id,
        )[0]
    new = written[ids.shape[1] :]
    text = tokenizer.decode(new, skip_special_tokens=True).strip()
    truncated = len(new) >= request["max_new_tokens"]
    return {"kind": "Text", "text": text, "boxes": [], "phrases": [], "truncated": truncated}
