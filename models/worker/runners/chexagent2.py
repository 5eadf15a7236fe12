"""CheXagent-2 (Stanford AIMI): findings sections and answers to questions.

The prompts and calls are those of the authors' own code (github.com/Stanford-AIMI/CheXagent,
model_chexagent/chexagent.py): tokenizer.from_list_format with paths of pictures, the chat template with a system
message, greedy decoding.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForCausalLM, AutoTokenizer

SYSTEM = "You are a helpful assistant."
FINDINGS = 'Given the indication: "{indication}", write a structured findings section for the CXR.'
NO_INDICATION = "Not provided."
"""What stands for an indication where none was given. Our choice; the authors' code always has one."""


def load(folder: str, device: str, dtype: str, trust_remote_code: bool) -> Any:
    """(model, tokenizer, device) from the files in a folder.

    Args:
        folder: of the model's repository.
        device: "cpu" or "cuda:N".
        dtype: a dtype of torch, by name.
        trust_remote_code: whether the code in the folder may run; without it nothing loads.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
    model = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, torch_dtype=getattr(torch, dtype), trust_remote_code=trust_remote_code
    )
    return model.eval().to(device), tokenizer, device


def answer(loaded: Any, task: str, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One text per request; this model gives no boxes for these tasks."""
    return [_one(loaded, task, request) for request in requests]


def _one(loaded: Any, task: str, request: dict[str, Any]) -> dict[str, Any]:
    films: tuple[str, ...]
    if task == "report":
        prompt = FINDINGS.format(indication=request["indication"] or NO_INDICATION)
        films = ("film", "lateral")
    else:
        prompt, films = request["text"], ("film", "lateral", "prior")
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name in films:
            if request[name] is not None:
                paths.append(str(Path(folder) / f"{name}.png"))
                Image.fromarray(request[name]).convert("RGB").save(paths[-1])
        text, truncated = _write(loaded, paths, prompt, request["max_new_tokens"])
    return {"kind": "Text", "text": text, "boxes": [], "phrases": [], "truncated": truncated}


def _write(loaded: Any, paths: list[str], prompt: str, max_new_tokens: int) -> tuple[str, bool]:
    """(what the model writes of the pictures at these paths, whether it stopped at the longest text allowed)."""
    model, tokenizer, device = loaded
    query = tokenizer.from_list_format([*({"image": path} for path in paths), {"text": prompt}])
    talk = [{"from": "system", "value": SYSTEM}, {"from": "human", "value": query}]
    ids = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_tensors="pt").to(device)
    with torch.inference_mode():
        written = model.generate(
            ids, do_sample=False, num_beams=1, temperature=1.0, top_p=1.0, use_cache=True, max_new_tokens=max_new_tokens
        )[0]
    new = written[ids.shape[1] :]
    return tokenizer.decode(new, skip_special_tokens=True).strip(), len(new) >= max_new_tokens
