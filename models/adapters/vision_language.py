"""Language models that see: MedGemma (Gemma 3), LLaVA and LLaVA-OneVision in transformers' format (REPORT, ANSWER)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from imaging.failures import BadArguments
from imaging.radiograph import Radiograph
from models.adapters.hub import LOCAL, dtype_on, picture, reading, require, weights_of
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference, place
from models.numerics import current
from models.outputs import Output, Task, Text
from models.request import Question, Request
from prompts import prompt

QUANTISED: dict[str, dict[str, Any]] = {
    "int8": {"load_in_8bit": True},
    "int4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
}
"""What bitsandbytes is asked for, by our names."""


@dataclass(frozen=True)
class VisionLanguage:
    """One loaded model with its processor, which brings the chat template."""

    card: ModelCard
    model: Any
    processor: Any
    device: str

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """What the model writes of each film, in order, one after another; the most likely words each time.

        Raises:
            BadArguments: task ANSWER without a question.
        """
        return [
            self._write(messages(task, item.film, item.question), item.question.max_new_tokens)
            for item in requests
            if item.film is not None and item.question is not None
        ]

    def _write(self, chat: list[dict[str, Any]], longest: int) -> Text:
        inputs = self.processor.apply_chat_template(
            chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        ).to(self.device, dtype=self.model.dtype)
        with inference(self.device):
            ids = self.model.generate(**inputs, max_length=None, max_new_tokens=longest, do_sample=False)
        new = ids[0, inputs["input_ids"].shape[1] :].cpu()
        end = self.model.generation_config.eos_token_id
        ended = end is not None and bool(torch.isin(new, torch.tensor(end)).any())
        return Text(self.processor.decode(new, skip_special_tokens=True).strip(), truncated=not ended)


def messages(task: Task, film: Radiograph, question: Question) -> list[dict[str, Any]]:
    """One turn of a chat: the film, then the lateral and the prior one where given, then the words.

    Raises:
        BadArguments: task ANSWER without a question.
    """
    if task is Task.ANSWER and not question.text.strip():
        raise BadArguments("There is no question.", "Give Question.text.")
    films, words = [film], []
    for name, other in (("lateral", question.lateral), ("prior", question.prior)):
        if other is not None:
            films.append(other)
            words.append(prompt(f"models/{name}", number=str(len(films))))
    if question.indication:
        words.append(prompt("models/indication", indication=question.indication))
    words.append(question.text.strip() or prompt("models/report"))
    content: list[dict[str, Any]] = [{"type": "image", "image": picture(item)} for item in films]
    return [{"role": "user", "content": [*content, {"type": "text", "text": "\n".join(words)}]}]


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> VisionLanguage:
    """The model of a folder; on a GPU in the entry's dtype, or in 8 or 4 bits where the setting gpu_dtype says so.

    Raises:
        Unavailable: the folder is no such model's, or not whole, or bitsandbytes is asked for and not installed.
    """
    dtype = current().read_as(entry, device)
    bits = QUANTISED.get(dtype)
    options: dict[str, Any] = {"dtype": dtype_on(entry, device)}
    if bits is not None:
        for package in ("bitsandbytes", "accelerate"):
            require(package, "quantised", f"{entry.id} in {dtype}")
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(bnb_4bit_compute_dtype=torch.bfloat16, **bits)
        options["device_map"] = {"": device}
    with reading(path):
        processor = AutoProcessor.from_pretrained(path, **LOCAL)
        model = weights_of(AutoModelForImageTextToText, path, **options)
    return VisionLanguage(card, model.eval() if bits else place(model, device), processor, device)
