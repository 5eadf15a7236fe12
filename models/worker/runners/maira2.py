"""MAIRA-2 (Microsoft): grounded reports with lateral, prior film and indication, and phrases located on a film.

The calls are those of its model card and of the processing code in its repository (processing_maira2.py):
format_and_preprocess_reporting_input, format_and_preprocess_phrase_grounding_input,
convert_output_to_plaintext_or_grounded_sequence and adjust_box_for_original_image_size.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForCausalLM, AutoProcessor

NOTHING_FOUND = "located nowhere on this film"
"""In place of a text where a phrase got no box."""

MARKS = re.compile(r"</?(?:obj|box)>|<[xy]\d+>")
"""Marks of sentences, boxes and coordinates in what the model writes."""


def load(folder: str, device: str, dtype: str, trust_remote_code: bool) -> Any:
    """(model, processor, device) from the files in a folder.

    Args:
        folder: of the model's repository.
        device: "cpu" or "cuda:N".
        dtype: a dtype of torch, by name.
        trust_remote_code: whether the code in the folder may run; without it nothing loads.
    """
    processor = AutoProcessor.from_pretrained(
        folder, local_files_only=True, num_additional_image_tokens=1, trust_remote_code=trust_remote_code
    )  # its image encoder has one class token, which transformers since 4.48 wants to be told
    model = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, torch_dtype=getattr(torch, dtype), trust_remote_code=trust_remote_code
    )
    return model.eval().to(device), processor, device


def answer(loaded: Any, task: str, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One text per request, its boxes in the film's pixels."""
    make = {"report": _report, "phrase": _phrase}[task]
    return [make(loaded, request) for request in requests]


def _report(loaded: Any, request: dict[str, Any]) -> dict[str, Any]:
    """A grounded report: each finding a sentence, with boxes where it can be located."""
    _, processor, _ = loaded
    inputs = processor.format_and_preprocess_reporting_input(
        current_frontal=_picture(request["film"]),
        current_lateral=_picture(request["lateral"]),
        prior_frontal=_picture(request["prior"]),
        indication=request["indication"] or None,
        technique=None,
        comparison=None,
        prior_report=None,
        return_tensors="pt",
        get_grounding=True,
    )
    written, truncated = _write(loaded, inputs, request["max_new_tokens"])
    return _text(_sequence(processor, written, truncated), processor, request["film"], truncated)


def _phrase(loaded: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Where each phrase is seen; one question to the model per phrase."""
    _, processor, _ = loaded
    found, cut = [], False
    for phrase in request["phrases"]:
        inputs = processor.format_and_preprocess_phrase_grounding_input(
            frontal_image=_picture(request["film"]), phrase=phrase, return_tensors="pt"
        )
        written, truncated = _write(loaded, inputs, request["max_new_tokens"])
        cut = cut or truncated
        sequence = _sequence(processor, written, truncated)
        boxes = [box for _, located in sequence for box in located or []] if not isinstance(sequence, str) else []
        found.append((phrase if boxes else f"{phrase}: {NOTHING_FOUND}", boxes or None))
    return _text(found, processor, request["film"], cut)


def _write(loaded: Any, inputs: Any, max_new_tokens: int) -> tuple[str, bool]:
    """(what the model writes, whether it stopped at the longest text allowed); the most probable word each time."""
    model, processor, device = loaded
    inputs = inputs.to(device)
    inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    with torch.inference_mode():
        ids = model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False, use_cache=True)[0]
    new = ids[inputs["input_ids"].shape[-1] :]
    return processor.decode(new, skip_special_tokens=True).strip(), len(new) >= max_new_tokens


def _sequence(processor: Any, written: str, truncated: bool) -> Any:
    """[(sentence, boxes or None)], or plain text.

    A text that was cut short is read up to its last whole sentence; one whose marks do not add up loses its boxes.
    """
    end = processor.phrase_end_token
    if truncated and end in written:
        written = written[: written.rindex(end) + len(end)]
    elif truncated and processor.phrase_start_token in written:
        return ""
    try:
        return processor.convert_output_to_plaintext_or_grounded_sequence(written)
    except (AssertionError, ValueError):  # how the processor says that it cannot read the marks
        return " ".join(MARKS.sub(" ", written).split())


def _text(sequence: Any, processor: Any, film: Any, truncated: bool) -> dict[str, Any]:
    """The wire form of a text. The processor's boxes are shares (x_min, y_min, x_max, y_max) of its square crop."""
    if isinstance(sequence, str):
        return {"kind": "Text", "text": sequence, "boxes": [], "phrases": [], "truncated": truncated}
    rows, cols = film.shape
    boxes, phrases = [], []
    for sentence, located in sequence:
        for box in located or []:
            x_min, y_min, x_max, y_max = processor.adjust_box_for_original_image_size(box, width=cols, height=rows)
            if x_min < x_max and y_min < y_max:
                boxes.append([y_min * rows, x_min * cols, y_max * rows, x_max * cols])
                phrases.append(sentence)
    said = " ".join(sentence for sentence, _ in sequence)
    return {"kind": "Text", "text": said, "boxes": boxes, "phrases": phrases, "truncated": truncated}


def _picture(film: Any) -> Any:
    """uint8 [H, W] as a grey picture; None where there is none."""
    return None if film is None else Image.fromarray(film, mode="L")
