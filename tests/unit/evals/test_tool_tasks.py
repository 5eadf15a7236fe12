"""Single tools on small sets of phantoms written in published layouts: figures come out, failures are counted."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agent.settings import Settings
from evals.formats.masks import BITS, MaskedFilm
from evals.progress import Silent
from evals.reading import LABELS, PARTS, part_of
from evals.tool_tasks.grounding import _pointed
from evals.tool_tasks.kind import Choice
from evals.tool_tasks.labels import code_of
from evals.tool_tasks.pages import KEPT, films_page, is_tool_run, read_tool_run
from evals.tool_tasks.running import chosen, run_tool_task
from evals.tool_tasks.segmentation import SEGMENTATION
from imaging.failures import BadArguments, Unavailable
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_finding


@pytest.fixture(scope="module")
def film() -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=4, size=256, findings=(parse_finding("effusion:left:900ml"),)))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(profile="embedded", state_dir=tmp_path / "state")


def run(name: str, data: Path, settings: Settings, **more: Any) -> dict[str, Any]:
    log_dir = more.pop("log_dir", None)
    found = run_tool_task(name, Choice(data, **more), settings, Silent(), log_dir)
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
    lung = found["structures"]["right_lung"]
    # One film of two is absent: its Dice is 0, so the mean is half of the other's.
    assert 0.45 < lung["dice"] < 0.5 and lung["not_drawn"] == 1
    assert found["failed"] == 1 and "not there" in found["failed_first"]["b"]
    # Both films have the same outlines, so the shape that "most others" have is the truth itself.
    assert lung["mean_shape_dice"] == 1


def test_split_is_taken_and_the_record_tells_of_it(film: PhantomFilm, tmp_path: Path, settings: Settings) -> None:
    write(film, tmp_path / "nih/a.png")
    rows = "".join(f"nih/{name}.png,{int(name == 'a')},{name}\n" for name in "abc")
    (tmp_path / "nih.csv").write_text("file,Atelectasis,patient_id\n" + rows)
    (tmp_path / "test_list.txt").write_text("a.png\nb.png\nelsewhere.png\n")
    split = {"only": tmp_path / "test_list.txt", "said": "held out from training"}
    found = run("chestxray14", tmp_path, settings, **split, log_dir=tmp_path / "logs")
    assert found["n"] == 2 and found["failed"] == 1, "c is not of the split, b is not there"
    record = json.loads((Path(found["log_dir"]) / "run.json").read_text())
    assert record["result"]["notes"][-2:] == ["2 of 3 in the set, those of test_list.txt", "held out from training"]
    assert record["models"] == {"classify": "embedded-classifier"} and record["hashes"]["models"] and record["commit"]
    page = films_page([read_tool_run(Path(found["log_dir"]))])
    assert "| chestxray14 | Atelectasis | 1 of 1 | – | – | – | – |" in page and "1 failed. embedded-classifier" in page
    (tmp_path / "test_list.txt").write_text("z.png")
    with pytest.raises(BadArguments, match="Nothing of the set"):
        run("chestxray14", tmp_path, settings, **split)


def test_items_are_drawn_by_the_seed() -> None:
    items = [MaskedFilm(str(n), None, dict) for n in range(20)]
    drawn = [chosen(items, SEGMENTATION, Choice(None, limit=5, seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2] and chosen(items, SEGMENTATION, Choice(None, limit=5)) == items[:5]


def test_reader_is_scored_on_the_held_out_half_alone(tmp_path: Path, settings: Settings) -> None:
    """Report 0 names a finding, report 1 denies it: the reader is right on both, the mention of a word on the first."""
    ids = [next(f"r{n}" for n in range(99) if part_of(f"r{n}") == part) for part in PARTS]
    held = [f"r{n}" for n in range(99) if part_of(f"r{n}") == PARTS[1]][:2]
    texts = {ids[0]: "nonsense", held[0]: "Right pneumothorax.", held[1]: "No pneumothorax. The heart is normal."}
    positive = {held[0]: "Pneumothorax"}
    head = ["uid", "findings", "impression", *("normal" if name == "Normal" else name for name in LABELS)]
    with gzip.open(tmp_path / "reports.csv.gz", "wt", newline="") as stream:
        table = csv.DictWriter(stream, head)
        table.writeheader()
        for uid, text in texts.items():
            cells = {name: float(positive.get(uid) == name) for name in head[3:]}
            table.writerow({"uid": uid, "findings": text, "impression": "", **cells})
    found = run("openi-labels", tmp_path, settings)
    assert found["n"] == 2 and "1 reports that the rules were written by" in found["notes"][0]
    assert found["labels"]["Pneumothorax"] == {"positives": 1, "f1": 1.0}
    # One hit, one false alarm: precision 1/2, recall 1.
    assert found["mention_micro_f1"] == round(2 / 3, 4)


def test_classification_and_grounding(film: PhantomFilm, tmp_path: Path, settings: Settings) -> None:
    write(film, tmp_path / "images/a.png")
    head = "Image Index,Finding Labels,Patient ID\n"
    (tmp_path / "Data_Entry_2017.csv").write_text(head + "a.png,Effusion,1\n")
    labelled = run("chestxray14", tmp_path, settings)
    effusion = labelled["labels"]["Effusion"]
    assert effusion["n"] == effusion["positives"] == 1 and effusion["auroc"]["value"] is None
    assert labelled["answered_by"] == [" ".join(labelled["models"]["classify"].values())]
    assert labelled["mean_auroc"] is None and labelled["models"]["classify"]["id"] == "embedded-classifier"

    row_min, col_min, row_max, col_max = film.boxes["effusion_left"]
    box = f"a.png,Effusion,{col_min},{row_min},{col_max - col_min},{row_max - row_min}\n"
    text = "Image Index,Finding Label,Bbox [x,y,w,h]\n" + box + "a.png,Unknown thing,1,1,5,5\n"
    (tmp_path / "BBox_List_2017.csv").write_text(text)
    grounded = run("nih-boxes", tmp_path, settings)
    assert grounded["unknown_labels"] == ["Unknown thing"] and grounded["n"] == 1
    assert grounded["labels"]["Effusion"]["n"] == 1 and not grounded["failed"]


def test_boxes_are_scored_per_label() -> None:
    """One box on its truth, one beside it, one film without any: a third of the truth is found."""
    truth = [(0.0, 0.0, 10.0, 10.0)]
    rows = [
        {"film": "a", "truth": truth, "drawn": [(0.0, 0.0, 10.0, 10.0)], "score": 0.9, "covered": 0.25},
        {"film": "b", "truth": truth, "drawn": [(20.0, 20.0, 30.0, 30.0)], "score": 0.8, "covered": 0.05},
        {"film": "c", "truth": truth, "drawn": [], "score": 0.0, "covered": None},
    ]
    told = _pointed(rows)
    assert (told["n"], told["drawn"]) == (3, 2)
    assert told["ap50"] == told["pointing"] == told["mean_iou"] == round(1 / 3, 4)
    assert 0 < told["pointing_interval"][0] < 0.1 and 0.75 < told["pointing_interval"][1] < 0.85, "Wilson's of 1 of 3"
    assert told["pointing_by_chance"] == 0.15, "of the two films whose size is known"


def test_reports_of_drafts(film: PhantomFilm, tmp_path: Path, settings: Settings) -> None:
    write(film, tmp_path / "deid_png/a.png")
    told = [{"id": "a", "Findings": film.report(), "Impression": "", "ImagePath": ["deid_png/a.png"]}]
    (tmp_path / "test_metadata.json").write_text(json.dumps(told))
    found = run("rexgradient", tmp_path, settings, log_dir=tmp_path / "logs")
    assert found["n"] == 1 and 0 < found["metrics"]["rouge_l"]["value"] < 1
    assert "Effusion" in found["metrics"]["label_f1"]["labels"], "the reference tells of one, whatever the draft says"
    # The drafts lie beside the record, and are scored again from there without the film.
    again = run("report-pairs", Path(found["log_dir"]), settings, metrics=("rouge_l",))
    assert again["metrics"] == {"rouge_l": found["metrics"]["rouge_l"]} and again["models"] == {}
    assert not is_tool_run(tmp_path) and "ROUGE-L (Lin 2004)" in films_page([read_tool_run(Path(found["log_dir"]))])
    with pytest.raises(Unavailable, match="language model as judge"):
        run("rexgradient", tmp_path, settings, metrics=("green",))
    (tmp_path / "pairs.csv").write_text("id,candidate\na,Clear.\na,Clear.\n")
    with pytest.raises(BadArguments, match="row 1 has no reference; row 2 has no reference; row 2 repeats"):
        run("report-pairs", tmp_path, settings)


def test_every_label_of_a_published_set_that_we_know() -> None:
    assert code_of("Pleural_Thickening") == "pleural_thickening"
    assert code_of("Pleural Effusion") == "effusion" and code_of("Left Lung") is None


def test_page_of_real_films_is_made_of_the_records_that_are_kept() -> None:
    records = [read_tool_run(folder) for folder in sorted(KEPT.iterdir())]
    assert records and all(not record["dirty"] and record["commit"] for record in records)
    assert (KEPT.parent / "results-films.md").read_text(encoding="utf-8") == films_page(records)


def test_changes_are_held_against_readers(film: PhantomFilm, tmp_path: Path, settings: Settings) -> None:
    """Expected by construction: the fluid is on the later film only, then on the earlier only."""
    for name, spec in (("sick", film.spec), ("well", PhantomSpec(seed=4, size=256))):
        write(film if name == "sick" else make_phantom(spec), tmp_path / f"files/p1/{name}.png")
    head = "dicom_id,previous_dicom_id,subject_id,pleural_effusion_progression,edema_progression,lump_progression\n"
    rows = [
        "p1/sick,p1/well,1,worsening,,\n", "p1/well,p1/sick,1,Improving,,stable\n",
        "p1/lost,p1/sick,2,stable,stable,\n", "p1/well,p1/sick,3,,,\n",
    ]  # fmt: skip
    table = tmp_path / "MS_CXR_T_temporal_image_classification_v1.0.0.csv"
    table.write_text(head + "".join(rows))
    found = run("mscxrt", tmp_path, settings)
    assert found["pairs"] == 3 and found["n"] == 4 and found["unknown_labels"] == ["lump"]
    assert found["failed"] == 1 and "not there" in found["failed_first"]["p1/lost after p1/sick"]
    fluid = found["labels"]["pleural effusion"]
    assert fluid["counts"] == {"worsened": {"worsened": 1}, "improved": {"improved": 1}, "unchanged": {"not said": 1}}
    assert fluid["n"] == 3 and fluid["not_said"] == 1 and fluid["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    table.write_text(head + "a,b,1,better,,\n")
    with pytest.raises(BadArguments, match="row 1: 'better'"):
        run("mscxrt", tmp_path, settings)


def test_films_are_looked_up_among_other_patients(film: PhantomFilm, tmp_path: Path, settings: Settings) -> None:
    """Expected by construction: of three other patients' films two have the label, so five nearest hold two of them."""
    for number in range(4):
        write(make_phantom(PhantomSpec(seed=10 + number, size=256)), tmp_path / f"nih/{number}.png")
    write(film, tmp_path / "nih/own.png")
    rows = "nih/0.png,0,1,a\nnih/own.png,0,1,a\nnih/1.png,0,1,b\nnih/2.png,0,1,c\nnih/3.png,0,0,d\nnih/gone.png,0,1,e\n"
    (tmp_path / "nih.csv").write_text("file,Atelectasis,Effusion,patient_id\n" + rows)
    found = run("chestxray14-cases", tmp_path, settings, log_dir=tmp_path / "logs")
    assert found["indexed"] == 5 and found["n"] == 4
    assert found["failed_first"] == {"nih/gone.png": "the film is not there"}
    label = found["labels"]["Effusion"]
    # Films of a have b, c (of b, c, d); those of b and c have both of a and the other's (of a, a, the other, d).
    assert label["n"] == 4 and label["share_of_5"]["value"] == pytest.approx((2 + 2 + 3 + 3) / 4 / 5)
    assert label["by_chance"] == pytest.approx((2 / 3 + 2 / 3 + 3 / 4 + 3 / 4) / 4, abs=1e-4)
    assert label["recall_at_20"] == 1
    assert 0 < found["ndcg_at_5_by_chance"] < 1 and 0 < found["ndcg_at_5"]["value"] < 1
    assert any(told.startswith("embedded-classifier ") for told in found["answered_by"])
    page = films_page([read_tool_run(Path(found["log_dir"]))])
    (tmp_path / "nih.csv").write_text("file,Effusion\nnih/0.png,1\n")
    with pytest.raises(BadArguments, match="no column of ChestX-ray14"):
        run("chestxray14-cases", tmp_path, settings)
    assert "| chestxray14-cases | Effusion | 4 | 0.500" in page
