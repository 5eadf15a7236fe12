"""Single tools on small sets of phantoms written in published layouts: figures come out, failures are counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.settings import Settings
from evals import tool_tasks
from evals.formats.masks import BITS
from evals.progress import Silent
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_finding


@pytest.fixture(scope="module")
def film() -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=4, size=256, findings=(parse_finding("effusion:left:900ml"),)))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(profile="embedded", state_dir=tmp_path / "state")


def run(name: str, data: Path, settings: Settings, **more: object) -> dict[str, object]:
    found = tool_tasks.run_tool_task(name, data, more.get("limit"), more.get("seed"), settings, Silent())  # type: ignore[arg-type]
    json.dumps(found, allow_nan=False)
    return found


def write(film: PhantomFilm, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(film.radiograph.pixels * 255).astype(np.uint8)).save(path)


def test_segmentation_agrees_with_the_phantom(film: PhantomFilm, tmp_path: Path, settings: Settings) -> None:
    write(film, tmp_path / "jsrt/a.png")
    bits = np.zeros(film.radiograph.shape, np.uint8)
    for bit, name in list(BITS.items())[:3]:
        bits |= np.where(film.masks[name], bit, 0).astype(np.uint8)
    Image.fromarray(bits).save(tmp_path / "jsrt/a_mask.png")
    rows = "id,file,mask\na,jsrt/a.png,jsrt/a_mask.png\nb,jsrt/b.png,jsrt/a_mask.png\n"
    (tmp_path / "jsrt.csv").write_text(rows)
    found = run("jsrt", tmp_path, settings)
    lung = found["structures"]["right_lung"]  # type: ignore[index]
    # One film of two is absent: its Dice is 0, so the mean is half of the other's.
    assert 0.45 < lung["dice"] < 0.5 and lung["not_drawn"] == 1
    assert found["failed"] == 1 and "not there" in found["failed_first"]["b"]  # type: ignore[index]
    assert run("jsrt", tmp_path, settings, limit=1)["n"] == 1


def test_classification_and_grounding(film: PhantomFilm, tmp_path: Path, settings: Settings) -> None:
    write(film, tmp_path / "images/a.png")
    head = "Image Index,Finding Labels,Patient ID\n"
    (tmp_path / "Data_Entry_2017.csv").write_text(head + "a.png,Effusion,1\n")
    labelled = run("chestxray14", tmp_path, settings)
    effusion = labelled["labels"]["Effusion"]  # type: ignore[index]
    assert effusion["n"] == effusion["positives"] == 1 and effusion["auroc"]["value"] is None
    assert labelled["mean_auroc"] is None and labelled["model"]

    row_min, col_min, row_max, col_max = film.boxes["effusion_left"]
    box = f"a.png,Effusion,{col_min},{row_min},{col_max - col_min},{row_max - row_min}\n"
    text = "Image Index,Finding Label,Bbox [x,y,w,h]\n" + box + "a.png,Unknown thing,1,1,5,5\n"
    (tmp_path / "BBox_List_2017.csv").write_text(text)
    grounded = run("nih-boxes", tmp_path, settings)
    assert grounded["unknown_labels"] == ["Unknown thing"] and grounded["n"] == 1
    assert grounded["labels"]["Effusion"]["n"] == 1 and not grounded["failed"]  # type: ignore[index]


def test_boxes_are_scored_per_label() -> None:
    """One box on its truth, one beside it, one film without any: a third of the truth is found."""
    truth = [(0.0, 0.0, 10.0, 10.0)]
    rows = [
        {"film": "a", "truth": truth, "drawn": [(0.0, 0.0, 10.0, 10.0)], "score": 0.9},
        {"film": "b", "truth": truth, "drawn": [(20.0, 20.0, 30.0, 30.0)], "score": 0.8},
        {"film": "c", "truth": truth, "drawn": [], "score": 0.0},
    ]
    told = tool_tasks._pointed(rows)
    assert (told["n"], told["drawn"]) == (3, 2)
    assert told["ap50"] == told["pointing"] == told["mean_iou"] == round(1 / 3, 4)


def test_reports_of_drafts(film: PhantomFilm, tmp_path: Path, settings: Settings) -> None:
    write(film, tmp_path / "deid_png/a.png")
    told = [{"id": "a", "Findings": film.report(), "Impression": "", "ImagePath": ["deid_png/a.png"]}]
    (tmp_path / "test_metadata.json").write_text(json.dumps(told))
    found = run("rexgradient", tmp_path, settings)
    assert found["n"] == 1 and 0 < found["rouge_l"] < 1  # type: ignore[operator]
    assert "Effusion" in found["label_f1_by_hilums_reader"], "the reference tells of one, whatever the draft says"  # type: ignore[operator]


def test_every_label_of_a_published_set_that_we_know() -> None:
    assert tool_tasks.code_of("Pleural_Thickening") == "pleural_thickening"
    assert tool_tasks.code_of("Pleural Effusion") == "effusion" and tool_tasks.code_of("Left Lung") is None
