"""BiomedCLIP and its like in open_clip's format, as a pair of encoders for models.adapters.clip_family."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.adapters.hub import picture, reading, require
from models.device import place


@dataclass(frozen=True)
class OpenClipPair:
    """An open_clip model whose image tower is a ViT of timm; see clip_family.Pair.

    Attributes:
        transform: open_clip's own, from a picture to float32 [3, side, side].
        whole: whether it stretches the whole film to the square; else it sees the middle square.
    """

    model: Any
    transform: Any
    tokenizer: Any
    whole: bool
    device: str

    @property
    def scale(self) -> float:
        """exp of the trained logit_scale."""
        return float(self.model.logit_scale.float().exp())

    def pixels(self, films: Sequence[Radiograph]) -> torch.Tensor:
        """Films by open_clip's transform for inference."""
        return torch.stack([self.transform(picture(film)) for film in films]).to(self.device)

    def extent(self, shape: tuple[int, int]) -> tuple[float, float, float, float]:
        """The middle square, or all of the film."""
        height, width = shape
        if self.whole:
            return 0.0, 0.0, float(height), float(width)
        side = min(height, width)
        top, left = (height - side) / 2, (width - side) / 2
        return top, left, top + side, left + side

    def films(self, pixels: torch.Tensor) -> torch.Tensor:
        """open_clip's image features."""
        found: torch.Tensor = self.model.encode_image(pixels)
        return found

    def cells(self, pixels: torch.Tensor) -> torch.Tensor:
        """The patch tokens through the head that was trained on the class token (as in MaskCLIP, arXiv:2112.01071)."""
        tower = self.model.visual
        states = tower.trunk.forward_features(pixels)[:, tower.trunk.num_prefix_tokens :]
        rows, columns = tower.trunk.patch_embed.grid_size
        projected: torch.Tensor = tower.head(states)
        return projected.reshape(len(pixels), rows, columns, -1)

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        """open_clip's text features."""
        found: torch.Tensor = self.model.encode_text(self.tokenizer(list(texts)).to(self.device))
        return found


def open_clip_pair(path: Path, device: str) -> OpenClipPair:
    """The pair in a folder, its weights read by restricted loading.

    The text tower's shape is that of the folder's config.json, else BERT base's (BiomedCLIP names a hub repository
    there, which open_clip would ask; its PubMedBERT has the shape of BERT base).

    Raises:
        Unavailable: open_clip is not installed, or the folder is not whole.
    """
    require("open_clip", "full", "This model")
    import open_clip

    told = json.loads((path / "open_clip_config.json").read_text(encoding="utf-8"))
    mode = told.get("preprocess_cfg", {}).get("resize_mode", "shortest")
    if mode not in ("shortest", "squash"):
        raise Unavailable(f"{path} resizes films by {mode!r}, which is not known here.", "Use shortest or squash.")
    logging.getLogger("open_clip").setLevel(logging.WARNING)
    with reading(path), tempfile.TemporaryDirectory() as beside:
        own = path / "config.json"
        described = own.is_file() and "model_type" in json.loads(own.read_text(encoding="utf-8"))
        shape = path if described else Path(beside)
        if shape != path:
            BertConfig().save_pretrained(beside)
        text = {**told["model_cfg"]["text_cfg"], "hf_model_name": str(shape), "hf_model_pretrained": False}
        model, transform = open_clip.create_model_from_pretrained(f"local-dir:{path}", text_cfg=text, device="cpu")
        tokenizer = open_clip.get_tokenizer(f"local-dir:{path}")
    if not hasattr(model.visual, "trunk"):
        raise Unavailable(f"{path} has an image tower that is no ViT of timm.", "Use another model.")
    return OpenClipPair(place(model, device), transform, tokenizer, mode == "squash", device)
