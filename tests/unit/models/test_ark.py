"""Ark+ from a small checkpoint of its authors' form: order of heads, preprocessing and old names of timm."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import MakeFilm
from PIL import Image

from imaging.failures import Unavailable
from models.catalog import Catalog, CatalogEntry
from models.outputs import Embedding, Scores, Task
from models.pool import ModelPool

timm = pytest.importorskip("timm")

SIDE = 96
ENTRY: CatalogEntry = Catalog.read().get("ark-plus").model_copy(update={"input_size": SIDE})
HEADS = (14, 14, 14, 3, 6, 1)
NIH = ["atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax",
       "consolidation", "edema", "emphysema", "fibrosis", "pleural_thickening", "hernia"]  # fmt: skip
MIMIC = {"enlarged_cardiomediastinum": 1, "lung_opacity": 3, "lung_lesion": 4, "pleural_other": 11, "fracture": 12,
         "support_devices": 13}  # fmt: skip
"""Positions in the labels of the authors' notebook, for what NIH lacks."""


class Parts:
    """A small network of Ark+'s form."""

    def __init__(self) -> None:
        torch.manual_seed(8)
        self.encoder = timm.models.swin_transformer.SwinTransformer(
            img_size=SIDE, window_size=3, embed_dim=12, depths=(1, 1, 3, 1), num_heads=(1, 2, 3, 4), num_classes=1000
        ).eval()
        self.projector = torch.nn.Linear(96, 20)
        self.heads = torch.nn.ModuleList(torch.nn.Linear(20, count) for count in HEADS)

    def file(self) -> dict[str, Any]:
        """As training wrote it: within DataParallel, merging at the end of a stage, masks among the weights."""
        state = {}
        for name, value in self.encoder.state_dict().items():
            state[re.sub(r"layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", name)] = value
        state = {name.replace("head.fc.", "head."): value for name, value in state.items()}
        state["layers.0.blocks.0.attn_mask"] = torch.zeros(3)
        state |= {f"projector.{name}": value for name, value in self.projector.state_dict().items()}
        state |= {f"omni_heads.{name}": value for name, value in self.heads.state_dict().items()}
        return {"epoch": 50, "teacher": {f"module.{name}": value for name, value in state.items()}}


def test_scores_and_vectors_are_those_of_timm_and_the_authors_steps(tmp_path: Path, make_film: MakeFilm) -> None:
    """Expected: Pillow's resize of 8 bits, ImageNet's mean and deviation, timm's own features, mean and heads."""
    parts, film = Parts(), make_film(5)
    torch.save(parts.file(), tmp_path / ENTRY.source.file)
    picture = Image.fromarray(np.round(film.pixels * 255).astype(np.uint8)).convert("RGB").resize((SIDE, SIDE))
    array = (np.array(picture) / 255.0 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        features = parts.encoder.forward_features(torch.from_numpy(array.transpose(2, 0, 1).astype(np.float32))[None])
        vector = parts.projector(features.mean(dim=(1, 2)))
        outputs = [torch.sigmoid(head(vector))[0].numpy() for head in parts.heads]
    expected = dict(zip(NIH, outputs[2], strict=True)) | {code: outputs[0][index] for code, index in MIMIC.items()}
    expected["tuberculosis"] = outputs[5][0]
    pool = ModelPool(Catalog([ENTRY]), device="cpu", model_dir=tmp_path, profile="full")
    [scored] = pool.predict(Task.CLASSIFY, [film], model_id=ENTRY.id)
    assert isinstance(scored.output, Scores) and list(scored.output.codes) == list(expected)
    np.testing.assert_allclose(scored.output.values, list(expected.values()), atol=1e-5)
    [embedded] = pool.predict(Task.EMBED, [film], model_id=ENTRY.id)
    assert isinstance(embedded.output, Embedding) and embedded.output.space == f"ark-plus@{embedded.revision}"
    np.testing.assert_allclose(embedded.output.values, (vector[0] / vector[0].norm()).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ({"student": {}}, "no state dict named 'teacher'"),
        ({"teacher": {"module.x": torch.zeros(2)}}, "is not Ark\\+ as its authors save it"),
        ({"teacher": Parts().file()["teacher"] | {"module.projector.weight": torch.zeros(3, 3)}}, "is not Ark\\+"),
    ],
    ids=["no teacher", "another network", "another projector"],
)
def test_another_checkpoint_raises(held: Any, says: str, tmp_path: Path, make_film: MakeFilm) -> None:
    torch.save(held, tmp_path / ENTRY.source.file)
    pool = ModelPool(Catalog([ENTRY]), device="cpu", model_dir=tmp_path, profile="full")
    with pytest.raises(Unavailable, match=says):
        pool.predict(Task.CLASSIFY, [make_film()], model_id=ENTRY.id)
