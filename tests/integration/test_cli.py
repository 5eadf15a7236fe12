"""The command line as a user meets it: exit codes, what goes to stdout, what is written."""

from __future__ import annotations

import datetime as dt
import io
import json
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import app
from agent.answer import Answer
from imaging.phantom import PhantomSpec, parse_finding, write_phantom
from imaging.radiograph import View

QUESTION = "Is there a pleural effusion?"


@dataclass
class Done:
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "film.png"
    write_phantom(PhantomSpec(seed=5, size=384, findings=(parse_finding("effusion:left:700ml"),)), path)
    return path


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "notes.png"
    path.write_text("not a picture")
    return path


@pytest.fixture
def hilum(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["hilum", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.main()
        told = capsys.readouterr()
        return Done(int(ended.value.code or 0), told.out, told.err)

    return run


def test_ask_json_is_one_answer_and_nothing_else(hilum, film: Path, tmp_path: Path) -> None:
    done = hilum("ask", film, QUESTION, "--json", "--overlays", tmp_path / "pictures")
    assert done.code == 0
    answer = Answer.model_validate_json(done.out)
    assert answer.planner == "embedded" and answer.claims and answer.evidence
    assert answer.models and all(model.startswith("embedded-") for model in answer.models)
    cited = {number for claim in answer.claims for number in claim.evidence}
    assert cited <= {record.id for record in answer.evidence}


def test_ask_text_cites_and_says_who_answered(hilum, film: Path) -> None:
    done = hilum("ask", film, "Is the heart enlarged?")
    assert done.code == 0
    assert "[E2" in done.out and "planner embedded" in done.out and "not a medical device" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["ask", "FILM"], 2, "No question"),
        (["ask", "FILM", QUESTION, "--planner", "nobody"], 2, "provider:model"),
        (["ask", "FILM", QUESTION, "--planner", "openai:gpt-5"], 4, "OPENAI_API_KEY"),
        (["ask", "TEXT", QUESTION], 3, "The file is text"),
        (["ask", "absent.png", QUESTION], 3, "no such file"),
        (["ask", "FILM", QUESTION, "--profile", "huge"], 2, "huge"),
        (["tool", "segmnt", "FILM"], 2, "Did you mean 'segment'"),
        (["tool", "segment", "FILM", "--args", "{"], 2, "--args is not JSON"),
        (["tool", "segment", "FILM", "--args", "[1]"], 2, "JSON list"),
        (["tool", "segment", "FILM", "--args", '{"colour": 1}'], 2, "colour"),
        (["tool", "classify", "FILM", "--args", '{"model": "txrv-densenet121-res224-all"}'], 4, "txrv"),
        (["eval", "chestagentbenh"], 2, "Did you mean 'chestagentbench'"),
        (["phantom", "--out", "x.gif"], 2, ".png, .dcm"),
        (["phantom", "--out", "x.png", "--finding", "effusoin:left"], 2, "effusion"),
        (["phantom", "--out", "x.png", "--view", "oblique"], 2, "Use PA, AP or LATERAL"),
        (["phantom", "--out", "x.png", "--clip", "up:5%"], 2, "left, right, apex, base"),
        (["phantom", "--out", "x.png", "--date", "5.1.2026"], 2, "YYYY-MM-DD"),
        (["chat", "--host", "0.0.0.0"], 2, "login"),
        (["chat", "--login", "doctor"], 2, "user:password"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_failure_has_its_exit_code_and_says_what_to_do(
    hilum, film: Path, text_file: Path, arguments: list[str], code: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    places = {"FILM": str(film), "TEXT": str(text_file)}
    done = hilum(*(places.get(word, word) for word in arguments))
    assert done.code == code, done.err
    assert says in done.out + done.err
    assert "Traceback" not in done.err


def test_our_own_fault_is_exit_code_1_with_its_trace(hilum, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("ui.terminal.films.describe", broken)
    done = hilum("film", film)
    assert done.code == 1 and "Traceback" in done.err and "fault of Hilum itself" in done.err


@pytest.mark.parametrize("words", [("ask", QUESTION, "--overlays"), ("tool", "segment", "--save"), ("demo", "--out")])
def test_a_folder_that_cannot_be_made_is_bad_arguments(hilum, film: Path, text_file: Path, words: tuple) -> None:
    files = [film] if words[0] != "demo" else []
    done = hilum(*words[:-1], *files, words[-1], text_file / "inside")
    assert done.code == 2 and "cannot be written: Not a directory" in done.err and "Traceback" not in done.err


def test_ask_about_a_turned_film_says_so_once_and_what_to_do(hilum, tmp_path: Path) -> None:
    write_phantom(PhantomSpec(seed=5, size=256, turned_deg=90), tmp_path / "turned.png")
    done = hilum("ask", tmp_path / "turned.png", QUESTION)
    said = " ".join(done.out.split())
    assert done.code == 0 and said.startswith("Film 1 looks turned by 90° clockwise")
    assert said.count("looks turned by 90°") == 1 and "Turn it back and try again." in said
    answer = json.loads(hilum("ask", tmp_path / "turned.png", QUESTION, "--json").out)
    assert answer["findings"] == [] and answer["not_assessed"][0].startswith("Film 1 looks turned")


def test_film_json_is_one_line_per_file_in_order(hilum, film: Path, text_file: Path) -> None:
    done = hilum("film", text_file, film, "--json")
    refused, opened = map(json.loads, done.out.splitlines())
    assert done.code == 3
    assert set(refused["error"]) == {"kind", "message", "hint"} and refused["error"]["kind"] == "not_an_image"
    assert (opened["rows"], opened["columns"], opened["bits"], opened["format"]) == (384, 384, 8, "PNG")


def test_film_goes_through_folders_and_archives(hilum, film: Path, text_file: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "a.zip", "w") as archive:
        archive.write(film, "inner/x.png")
    (tmp_path / "in" / "b.txt").write_text("not a picture")
    done = hilum("film", tmp_path / "in", tmp_path / "in" / "a.zip", "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 3
    assert [line["file"] for line in lines] == ["in/a.zip!inner/x.png", "in/b.txt", "a.zip!inner/x.png"]
    assert lines[0]["id"] == lines[2]["id"] and "error" not in lines[0] and lines[1]["error"]["kind"] == "not_an_image"


def test_film_tells_how_films_belong_together(hilum, tmp_path: Path) -> None:
    new = PhantomSpec(seed=5, size=64, date=dt.date(2026, 2, 1), findings=(parse_finding("effusion:left:700ml"),))
    write_phantom(replace(new, date=dt.date(2025, 1, 1), findings=()), tmp_path / "old.dcm")
    write_phantom(new, tmp_path / "new.dcm")
    write_phantom(new, tmp_path / "new_again.dcm", bits=16)
    write_phantom(replace(new, view=View.LATERAL), tmp_path / "side.dcm")
    (tmp_path / "copy.dcm").write_bytes((tmp_path / "new.dcm").read_bytes())
    done = hilum("film", "--studies", tmp_path, "--json")
    told = json.loads(done.out)
    prior, current = told["studies"]
    assert (prior["acquired"], prior["role"], current["role"]) == ("2025-01-01", "prior", "current")
    assert current["prior"] == prior["key"] and current["patient_key"] == prior["patient_key"]
    views = {Path(each["source"]).stem: (each["id"], each["view"]) for each in current["films"]}
    assert {name: view for name, (_, view) in views.items()} == {"copy": "PA", "new_again": "PA", "side": "LATERAL"}
    assert current["pair"] == {"frontal": views["new_again"][0], "lateral": views["side"][0]}
    assert [Path(each["source"]).name for each in told["duplicates"]] == ["new.dcm"]
    said = hilum("film", "--studies", tmp_path).out
    assert "Study 2: 2026-02-01, 3 films in 2 series, read together: " in said and "prior: study 1" in said
    assert "holds the same picture" in said


def test_tool_saves_masks_in_the_films_own_geometry(hilum, film: Path, tmp_path: Path) -> None:
    done = hilum("tool", "segment", film, film, "--json", "--save", tmp_path)
    results = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0 and [result["tool"] for result in results] == ["segment", "segment"]
    mask = np.asarray(Image.open(tmp_path / "film.left_lung.png"))
    assert mask.shape == (384, 384) and set(np.unique(mask)) == {0, 255}
    # The patient's left lung lies at the right of the picture.
    assert np.nonzero(mask)[1].mean() > 384 / 2


def test_doctor_tells_models_settings_and_their_origin(hilum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_MAX_TOOL_CALLS", "7")
    report = json.loads(hilum("doctor", "--json", "--profile", "embedded").out)
    assert report["settings"]["max_tool_calls"] == {"value": 7, "origin": "environment HILUM_MAX_TOOL_CALLS"}
    assert report["settings"]["profile"]["origin"] == "given"
    present = {model["id"]: model["present"] for model in report["models"]}
    assert present["embedded-classifier"] and present["embedded-segmenter"]
    assert all(model["present"] or (model["reason"] and model["remedy"]) for model in report["models"])
    without = {tool["name"]: tool for tool in report["tools"] if not tool["ready"]}
    assert {"tb_screen", "covid_severity"} <= set(without), "their weights are never shipped"
    assert not {"classify", "segment", "measure", "ground", "report", "explain", "anomaly", "zero_shot"} & set(without)
    assert all(tool["reason"] and "--profile" in tool["remedy"] for tool in without.values()), without
    assert "embedded-segmenter" in hilum("doctor").out


def test_demo_names_what_it_wrote(hilum, tmp_path: Path) -> None:
    done = hilum("demo", "--out", tmp_path)
    assert done.code == 0
    for name in ("demo_film.dcm", "demo_answer_1.json", "demo_answer_2.json"):
        assert (tmp_path / name).is_file() and name in done.out.replace("\n", "")
    answer = Answer.model_validate_json((tmp_path / "demo_answer_1.json").read_text(encoding="utf-8"))
    assert list((tmp_path / "demo_overlays_1").glob("*.png"))
    # Expected: the demo film's truth, within the error that tools/measure.py states for the ratio and one rounding.
    measured = next(record for record in answer.evidence if record.tool == "measure")
    assert measured.data["cardiothoracic_ratio"] == pytest.approx(0.60, abs=0.03)


def test_deid_writes_films_and_says_what_went(hilum, tmp_path: Path, text_file: Path) -> None:
    folder = tmp_path / "DOE^JANE"
    folder.mkdir()
    write_phantom(PhantomSpec(seed=2, size=256), folder / "DOE^JANE.dcm")
    (folder / "notes.txt").write_text("seen by Dr Smith")
    done = hilum("deid", folder, tmp_path / "clean", "--json")
    outcomes = [json.loads(line) for line in done.out.splitlines()]
    written = [Path(outcome["written"]) for outcome in outcomes if "written" in outcome]
    assert done.code == 3 and len(outcomes) == 2 and len(written) == 1
    assert "DOE" not in str(written[0].relative_to(tmp_path / "clean")) and "DOE" not in done.err
    assert {"PatientName", "PatientID"} <= {item["keyword"] for o in outcomes for item in o.get("removed", [])}
    assert hilum("film", written[0]).code == 0


def test_phantom_prints_its_truth(hilum, tmp_path: Path) -> None:
    done = hilum("phantom", "--finding", "cardiomegaly:0.6", "--out", tmp_path / "film.dcm", "--json")
    truth = json.loads(done.out)
    assert truth["measures"]["cardiothoracic_ratio"] == pytest.approx(0.6, abs=0.01)
    assert truth["findings"][0]["code"] == "cardiomegaly"


def test_phantom_writes_faults_and_a_folder_of_truth(hilum, tmp_path: Path) -> None:
    words = [
        "--size",
        96,
        "--exposure=-2",
        "--clip",
        "left:20%",
        "--turned",
        180,
        "--text",
        "ERECT",
        "--date",
        "2026-01-05",
    ]
    file = ["--modality", "cr", "--bits", 10, "--monochrome", 1, "--out", tmp_path / "film.dcm"]
    told = json.loads(hilum("phantom", *words, *file, "--truth", tmp_path / "truth", "--json").out)
    assert [fault["code"] for fault in told["faults"]] == ["underexposed", "left_lung_outside", "turned"]
    assert told["positioning"]["left_lung_outside"] == pytest.approx(0.2, abs=0.02)
    facts = json.loads((tmp_path / "truth" / "facts.json").read_text(encoding="utf-8"))
    assert {"file": told["file"], **facts} == told
    read = json.loads(hilum("film", tmp_path / "film.dcm", "--json").out)
    assert (read["modality"], read["bits"], read["photometric"]) == ("CR", 10, "MONOCHROME1")
    assert read["acquired"] == facts["date"] == "2026-01-05"
    report = hilum("phantom", *words, "--out", tmp_path / "film.png").out
    assert "Impression" in report and "SYNTHETIC" in report


def test_film_is_read_by_content_not_by_suffix(hilum, tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (64, 1))).save(stream, "PNG")
    path = tmp_path / "no_suffix"
    path.write_bytes(stream.getvalue())
    assert json.loads(hilum("film", path, "--json").out)["format"] == "PNG"
