"""Each published layout, on a small file made in it, and what must be refused, left out or counted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evals.benchmarks import BENCHMARKS
from evals.formats import boxes, labels, masks, reports, vqa
from imaging.failures import BadArguments


def picture(path: Path, size: tuple[int, int] = (8, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size).save(path)


def table(path: Path, rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rows) if path.suffix == ".json" else "\n".join(map(json.dumps, rows))
    path.write_text(text, encoding="utf-8")


SLAKE = {"qid": 7, "img_id": 1, "img_name": "xmlab1/source.jpg", "question": "Is the lung healthy?", "answer": "No",
         "q_lang": "en", "location": "Lung", "modality": "X-Ray", "content_type": "Abnormality"}  # fmt: skip
ROWS: dict[str, tuple[str, Any, str, str]] = {
    # name: (file, its content, film, the true answer)
    "chexbench": (
        "data.json",
        {
            "View Classification": [
                {"image_path": ["a/1.jpg"], "question": "Which view?", "answer": 1, "option_0": "PA", "option_1": "AP"}
            ],
            "Findings Generation": [{"image_path": ["a/1.jpg"], "section_findings": "x"}],
        },
        "images/a/1.jpg",
        "B",
    ),
    "rexvqa": (
        "test_vqa_data.json",
        {"q1": {"question": "Where?", "options": ["A. left", "B. right"], "correct_answer": "B", "task_name": "where",
                "ImagePath": ["deid_png/s/1.png"], "study_id": "s"}},
        "deid_png/s/1.png",
        "B",
    ),
    "cxreasonbench": (
        "stage1.jsonl",
        [{"id": "c1", "case_id": "c", "task": "cardiomegaly", "context": "The ratio is 0.6.", "question": "Then?",
          "options": {"A": "enlarged", "B": "normal"}, "answer": "enlarged", "image_path": "1.png"}],
        "images/1.png",
        "A",
    ),
    "mediconfusion": (
        "data.jsonl",
        [
            {"id": "1a", "pair_id": "1", "question": "Which?", "option_A": "line", "option_B": "no line", "answer": "B",
             "image": "1.png", "modality": "Chest X-ray"},
            {"id": "2a", "pair_id": "2", "question": "Which?", "option_A": "x", "option_B": "y", "answer": "A",
             "image": "2.png", "modality": "MRI"},
        ],
        "images/1.png",
        "B",
    ),
    "vqarad": (
        "VQA_RAD Dataset Public.json",
        [
            {"qid": "1", "image_name": "synpic1.jpg", "image_organ": "CHEST", "question": "Fluid?", "answer": "Yes",
             "question_type": "PRES"},
            {"qid": "2", "image_name": "synpic2.jpg", "image_organ": "HEAD", "question": "Where?", "answer": "left"},
        ],
        "VQA_RAD Image Folder/synpic1.jpg",
        "Yes",
    ),
    "slake": ("test.json", [SLAKE, {**SLAKE, "qid": 8, "q_lang": "zh"}, {**SLAKE, "qid": 9, "modality": "CT"}],
              "imgs/xmlab1/source.jpg", "No"),
    "gemex": (
        "gemex_test.jsonl",
        [{"id": "g1", "question_type": "single-choice", "question": "What?", "choices": "['mass', 'fluid']",
          "answer": "fluid", "image_path": "g1.jpg", "study_id": "s1"}],
        "images/g1.jpg",
        "B",
    ),
    "radrestruct": (
        "test_qa_pairs.json",
        [{"id": "r1", "report_id": "r", "history": "Is there a sign? yes", "question": "Which degree?",
          "options": ["mild", "severe"], "answer": "severe", "image": "r1.png"}],
        "images/r1.png",
        "B",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ROWS))
def test_question_sets_are_read_as_published(name: str, tmp_path: Path) -> None:
    file, rows, film, target = ROWS[name]
    table(tmp_path / file, rows)
    picture(tmp_path / film)
    questions = vqa.load(name, tmp_path)
    (question,) = questions.items
    assert question.target == target and question.films == (tmp_path / film,) and not question.unusable
    assert bool(question.letters) == (name not in ("vqarad", "slake"))
    assert all(f"{letter}) " in question.text for letter in question.letters)
    assert name in BENCHMARKS
    (tmp_path / film).unlink()
    (absent,) = vqa.load(name, tmp_path).items
    assert "is not there" in absent.unusable


def test_particulars_of_question_sets(tmp_path: Path) -> None:
    file, rows, film, _ = ROWS["cxreasonbench"]
    table(tmp_path / file, rows)
    picture(tmp_path / film)
    (stage,) = vqa.load("cxreasonbench", tmp_path).items
    assert stage.text.startswith("The ratio is 0.6.\nThen?") and (stage.case_id, stage.categories) == (
        "c",
        ("cardiomegaly",),
    )
    table(tmp_path / "m" / "data.jsonl", ROWS["mediconfusion"][1])
    found = vqa.load("mediconfusion", tmp_path / "m")
    assert found.items[0].pair == "1" and "1 of 2 rows are not on chest films" in found.notes[0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"question": "?", "choices": ["a", "b"], "answer": "c"}], "none of the options"),
        ([{"question": "?", "answer": ""}], "no answer"),
        ([{"id": 1, "question": "?", "answer": "x"}, {"id": 1, "question": "!", "answer": "y"}], "more than once"),
        ([{"question": "?", "answer": "x", "image": "../../etc/passwd"}], "leads out"),
        ("no json", "cannot be read"),
    ],
)
def test_faulty_question_sets_are_refused(rows: Any, said: str, tmp_path: Path) -> None:
    if isinstance(rows, str):
        (tmp_path / "x.json").write_text(rows)
    else:
        table(tmp_path / "x.json", rows)
    with pytest.raises(BadArguments, match=said):
        vqa.load("gemex", tmp_path)
    with pytest.raises(BadArguments, match="needs --data"):
        vqa.load("gemex", None)


@pytest.mark.films
def test_slake_as_it_is(real_films: Path) -> None:
    questions = vqa.load("slake", real_films)
    assert len(questions.items) == 1761 - sum("left out" in note and int(note.split()[0]) for note in questions.notes)
    assert all(question.unusable for question in questions.items), "the films are not part of the folder"
    yes_no = [question for question in questions.items if question.target in ("Yes", "No")]
    assert len(yes_no) > 300


LABELS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "chestxray14": (
        "Data_Entry_2017.csv",
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"
        "1_0.png,Cardiomegaly|Effusion,0,1,058Y,M,PA\n",
        "images_001/images/1_0.png",
        {"Cardiomegaly": True, "Effusion": True, "Mass": False},
    ),
    "chexpert": (
        "valid.csv",
        "Path,Sex,Age,Frontal/Lateral,AP/PA,Cardiomegaly,Edema,Fracture\n"
        "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP,1.0,-1.0,\n"
        "valid/patient64541/study1/view2_lateral.jpg,Male,73,Lateral,,1.0,0.0,\n",
        "valid/patient64541/study1/view1_frontal.jpg",
        {"Cardiomegaly": True, "Edema": None, "Fracture": None},
    ),
    "padchest": (
        "PADCHEST_chest_x_ray_images.csv",
        "ImageID,PatientID,Projection,PatientSex_DICOM,Labels\n"
        "a.png,9,PA,F,\"['cardiomegaly', 'pleural effusion']\"\nb.png,9,L,F,\"['normal']\"\n",
        "images/a.png",
        {"cardiomegaly": True, "pleural effusion": True, "mass": False},
    ),
    "vindrcxr": (
        "image_labels_test.csv",
        "image_id,rad_id,Cardiomegaly,Pleural effusion\nabc,R1,0,0\nabc,R2,1,0\n",
        "test/abc.dicom",
        {"Cardiomegaly": True, "Pleural effusion": False},
    ),
    "rsna": (
        "stage_2_train_labels.csv",
        "patientId,x,y,width,height,Target\np1,10,10,5,5,1\np1,20,20,5,5,1\n",
        "stage_2_train_images/p1.dcm",
        {"Pneumonia": True},
    ),
    "siim": ("train-rle.csv", "ImageId, EncodedPixels\ns1, -1\n", "dicom-images-train/s1.dcm", {"Pneumothorax": False}),
}


@pytest.mark.parametrize("name", sorted(LABELS))
def test_classification_sets(name: str, tmp_path: Path) -> None:
    file, text, film, expected = LABELS[name]
    (tmp_path / file).write_text(text)
    (tmp_path / film).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / film).write_bytes(b"x")
    (found,), notes = labels.load(name, tmp_path)
    assert found.film == tmp_path / film
    assert {label: found.labels[label] for label in expected} == expected
    if name == "chestxray14":
        assert (found.patient, found.age_years, found.sex, found.view) == ("1", 58, "M", "PA")
    if name == "chexpert":
        assert found.patient == "patient64541" and "1 of 2 rows are not frontal" in notes[0]
    (tmp_path / film).unlink()
    (absent,), notes = labels.load(name, tmp_path)
    assert absent.film is None and any("films are not there" in note for note in notes)


def test_a_table_of_another_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "valid.csv").write_text("Path,x\na,1\n")
    with pytest.raises(BadArguments, match="no column of CheXpert"):
        labels.load("chexpert", tmp_path)


BOXES = {
    "vindrcxr-boxes": (
        "annotations_test.csv",
        "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\nabc,R1,Nodule/Mass,10,20,30,60\nabc,R1,No finding,,,,\n",
    ),
    "chestxdet": ("ChestX_Det_test.json", [{"file_name": "abc.png", "syms": ["Nodule"], "boxes": [[10, 20, 30, 60]]}]),
    "mscxr": (
        "MS_CXR_Local_Alignment.csv",
        "category_name,label_text,path,x,y,w,h,dicom_id\nNodule,a nodule,abc.jpg,10,20,20,40,abc\n",
    ),
    "nih-boxes": (
        "BBox_List_2017.csv",
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\nabc.png,Nodule,10,20,20,40,,,\n",
    ),
}


@pytest.mark.parametrize("name", sorted(BOXES))
def test_grounding_sets(name: str, tmp_path: Path) -> None:
    file, content = BOXES[name]
    if isinstance(content, str):
        (tmp_path / file).write_text(content)
    else:
        table(tmp_path / file, content)
    (found,) = boxes.load(name, tmp_path)
    assert found.box == (20, 10, 60, 30) and found.film is None and found.unit == "pixel"
    assert found.label.startswith("Nodule") and (found.phrase == "a nodule") == (name == "mscxr")


def test_a_box_without_area_is_refused(tmp_path: Path) -> None:
    (tmp_path / "BBox_List_2017.csv").write_text(
        "Image Index,Finding Label,Bbox [x,y,w,h]\nabc.png,Nodule,10,20,0,40\n"
    )
    with pytest.raises(BadArguments, match="has no area"):
        boxes.load("nih-boxes", tmp_path)


def test_segmentation_sets(tmp_path: Path) -> None:
    for structure in ("heart", "left lung", "right lung"):
        mask = np.zeros((6, 8), np.uint8)
        mask[:, : 2 if structure == "heart" else 4] = 255
        path = tmp_path / "scr/fold1/masks" / structure / "JPCLN001.gif"
        path.parent.mkdir(parents=True)
        Image.fromarray(mask).save(path)
    (scr,) = masks.load("jsrt", tmp_path / "scr")
    assert {name: int(mask.sum()) for name, mask in scr.read().items()} == {
        "heart": 12,
        "left_lung": 24,
        "right_lung": 24,
    }

    for side in ("leftMask", "rightMask"):
        picture(tmp_path / "mc/ManualMask" / side / "MCUCXR_0001_0.png")
    picture(tmp_path / "mc/CXR_png/MCUCXR_0001_0.png")
    (montgomery,) = masks.load("montgomery", tmp_path / "mc")
    assert montgomery.film == tmp_path / "mc/CXR_png/MCUCXR_0001_0.png" and set(montgomery.read()) == {
        "left_lung",
        "right_lung",
    }

    (tmp_path / "cm").mkdir()
    text = "dicom_id,Height,Width,Left Lung,Right Lung,Heart\nabc,4,5,0 3 10 2,7 1,\n"
    (tmp_path / "cm/CheXmask.csv.gz").write_bytes(gzip.compress(text.encode()))
    (chexmask,) = masks.load("chexmask", tmp_path / "cm")
    read = chexmask.read()
    assert np.flatnonzero(read["left_lung"]).tolist() == [0, 1, 2, 10, 11] and read["right_lung"][1, 2]
    with pytest.raises(BadArguments, match="do not fit"):
        masks.decode_runs("19 5", (4, 5))


def test_report_sets(tmp_path: Path) -> None:
    folder = tmp_path / "iu/ecgen-radiology"
    folder.mkdir(parents=True)
    (folder / "1.xml").write_text(
        '<eCitation><AbstractText Label="FINDINGS">Heart normal.</AbstractText>'
        '<AbstractText Label="IMPRESSION">Normal.</AbstractText><parentImage id="CXR1_1"/></eCitation>'
    )
    picture(tmp_path / "iu/NLMCXR_png/CXR1_1.png")
    (iu,) = reports.load("iuxray", tmp_path / "iu")
    assert (iu.findings, iu.impression, iu.films) == (
        "Heart normal.",
        "Normal.",
        (tmp_path / "iu/NLMCXR_png/CXR1_1.png",),
    )
    (folder / "1.xml").write_text('<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    with pytest.raises(BadArguments, match="declares entities"):
        reports.load("iuxray", tmp_path / "iu")

    study = tmp_path / "mimic/files/p10/p10000032"
    study.mkdir(parents=True)
    (study / "s50414267.txt").write_text(
        "FINAL REPORT\n INDICATION:  Cough.\n\n FINDINGS:  Clear\n lungs.\n\n IMPRESSION: Normal.\n"
    )
    picture(study / "s50414267/a.jpg")
    (mimic,) = reports.load("mimiccxr", tmp_path / "mimic")
    assert (mimic.indication, mimic.findings, mimic.impression) == ("Cough.", "Clear lungs.", "Normal.")
    assert mimic.films == (study / "s50414267/a.jpg",)

    rows = [
        {
            "id": "g1",
            "Findings": "Clear.",
            "Impression": "Normal.",
            "Indication": "Pain.",
            "ImagePath": ["deid_png/1.png"],
        }
    ]
    table(tmp_path / "rex/test_metadata.json", rows)
    picture(tmp_path / "rex/deid_png/1.png")
    (rex,) = reports.load("rexgradient", tmp_path / "rex")
    assert (rex.findings, rex.indication, rex.films) == ("Clear.", "Pain.", (tmp_path / "rex/deid_png/1.png",))


@pytest.mark.films
def test_real_tables_are_read(real_films: Path) -> None:
    films, _ = labels.load("chestxray14", real_films)
    assert (
        len(films) == 1318 and all(film.film for film in films) and sum(bool(f.labels["Effusion"]) for f in films) > 50
    )
    whole, _ = labels.load("chestxray14", real_films / "labels")
    assert len(whole) == 112120
    assert len(boxes.load("nih-boxes", real_films / "labels")) == 984
    assert len(boxes.load("chestxdet", real_films / "labels")) > 1000
    jsrt = masks.load("jsrt", real_films)
    assert len(jsrt) == 200 and jsrt[0].read()["heart"].any()
    assert len(masks.load("montgomery", real_films)) == 110
    assert len(reports.load("iuxray", real_films)) == 3184
