"""Encoders of text from a folder on this machine: a vector per token, for BERTScore and CheXbert's cosine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evals.report_metrics.metric import Supplied
from imaging.failures import Unavailable

LONGEST = 512
"""Tokens of a text that are read at most, as in the published metrics; what follows is cut off."""
BATCH = 16


@dataclass(frozen=True)
class Tokens:
    """One text.

    Attributes:
        vectors: float32 [n, d], one per token, those that open and close the text among them.
        own: bool [n], whether a token is of the text itself.
        cut: whether the text was longer than LONGEST.
    """

    vectors: npt.NDArray[np.float32]
    own: npt.NDArray[np.bool_]
    cut: bool


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder.

    Attributes:
        kind: (architecture, layers), e.g. ("roberta", 6).
    """

    model: Any
    tokenizer: Any
    device: str

    @property
    def kind(self) -> tuple[str, int]:
        """Architecture and number of layers."""
        return str(self.model.config.model_type), int(self.model.config.num_hidden_layers)

    def read(self, texts: Sequence[str], layer: int) -> Iterator[Tokens]:
        """The tokens of each text as a layer gives them.

        Args:
            texts: in any number.
            layer: 1 for the first; 0 is what goes into it.
        """
        import torch

        special = {self.tokenizer.cls_token_id, self.tokenizer.sep_token_id}
        longest = min(int(self.tokenizer.model_max_length), LONGEST)
        for start in range(0, len(texts), BATCH):
            part = [" ".join(text.split()) for text in texts[start : start + BATCH]]
            told = self.tokenizer(part, padding=True, truncation=True, max_length=longest, return_tensors="pt")
            lengths = [len(ids) for ids in self.tokenizer(part, truncation=False, verbose=False)["input_ids"]]
            with torch.inference_mode():
                states = self.model(**told.to(self.device), output_hidden_states=True).hidden_states[layer]
            vectors = states.float().cpu().numpy()
            for row, length in enumerate(lengths):
                there = told["attention_mask"][row].cpu().numpy().astype(bool)
                own = np.array([token not in special for token in told["input_ids"][row].tolist()])
                yield Tokens(vectors[row][there], own[there], length > longest)


def encoder(supplied: Supplied, name: str, metric: str) -> tuple[Encoder, int | None]:
    """The encoder supplied under a name, and the layer that the user chose.

    Args:
        supplied: what there is.
        name: "bert" or "chexbert".
        metric: that needs it, for the message.

    Raises:
        Unavailable: no folder is given, it is not there, or holds no encoder.
    """
    told, _, layer = supplied.values.get(name, "").rpartition("@")
    if not (told and layer.isdigit()):
        told, layer = supplied.values.get(name, ""), ""
    path = Path(told).expanduser()
    if not told or not (path / "config.json").is_file():
        found = f"there is no model in {path}" if told else "none was supplied"
        raise Unavailable(
            f"{metric} needs an encoder, and {found}.",
            f"Give its folder (config.json, safetensors, tokenizer): --supply {name}=FOLDER.",
        )
    from transformers import AutoModel, AutoTokenizer

    from models.adapters.hub import LOCAL, reading
    from models.device import choose

    place = choose(supplied.settings.device)
    with reading(path):
        tokenizer = AutoTokenizer.from_pretrained(path, **LOCAL)
        model, loaded = AutoModel.from_pretrained(path, use_safetensors=True, output_loading_info=True, **LOCAL)
    # A pooler is not used and often not saved; any other absent weight would be random.
    absent = sorted(key for key in loaded["missing_keys"] if not key.startswith("pooler."))
    if absent:
        raise Unavailable(f"{path} lacks {len(absent)} weights, {absent[0]} among them.", "Give the whole model.")
    return Encoder(model.to(place).eval(), tokenizer, place), int(layer) if layer else None


__all__ = ["Encoder", "Tokens", "encoder"]
