"""A folder of films becomes a table: one row per film, nothing twice after a break, errors as rows."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import BaseModel, Field

from imaging.derived import synthetic, to_png
from imaging.failures import BadArguments, NotApplicable, Unavailable
from imaging.phantom import PhantomSpec, make_phantom
from models.outputs import ScoreKind
from models.pool import ModelPool
from tools.batches import cohort
from tools.batches.cohort import Journal, check_target, run_cohort, write_table
from tools.classify import classify
from tools.contract import Finding, Result, Status, Tool, ToolArguments, ToolContext, tool


class Arguments(ToolArguments):
    image_id: str = Field(description="film")


class Part(BaseModel):
    code: str
    area_px: int


class Data(BaseModel):
    mean: float
    bright: bool
    parts: list[Part]
    words: str = "left out"


def grey_tool(seen: list[str], refused: float = 2.0) -> Tool:
    """A tool that measures the film's mean grey; above `refused` it does not apply."""

    @tool(name="grey", title="Grey", arguments=Arguments, result=Data, answers="-", prompt="mean grey")
    def grey(context: ToolContext, arguments: Arguments) -> Result:
        film = context.films.get(arguments.image_id)
        seen.append(film.id)
        mean = float(film.pixels.mean())
        if mean > refused:
            raise NotApplicable("too bright")
        finding = Finding(
            code="mass", image_id=film.id, status=Status.PRESENT, score=mean, score_kind=ScoreKind.SIGMOID
        )
        return Result(findings=[finding], data=Data(mean=mean, bright=mean > 0.5, parts=[Part(code="a", area_px=3)]))

    return grey


def make_films(folder: Path, count: int) -> None:
    """Noise films whose mean grey rises with their number, and one file that is no film."""
    rng = np.random.default_rng(0)
    (folder / "deeper").mkdir(parents=True)
    for number in range(count):
        noise = rng.integers(0, 60, (80, 80)) + 30 * number
        place = folder / "deeper" if number % 2 else folder
        Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(place / f"{number}.png")
    (folder / "notes.txt").write_text("not a film")


def run(folder: Path, out: Path, tools: list[Tool], question: str = "q") -> tuple[cohort.Outcome, int]:
    journal = Journal(out.with_suffix(".sqlite"), {"asked": question})
    outcome = list(run_cohort([folder], tools, ModelPool(device="cpu"), journal, workers=3))[-1]
    count = write_table(journal, out)
    journal.close(delete=True)
    return outcome, count


def read(out: Path) -> list[dict[str, str]]:
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_film_is_a_row_and_errors_are_rows(tmp_path: Path) -> None:
    make_films(tmp_path / "films", 6)
    out = tmp_path / "t.csv"
    outcome, count = run(tmp_path / "films", out, [grey_tool([], refused=0.5)])
    rows = read(out)
    assert count == len(rows) == 7 and outcome.films == 7
    assert [Path(row["file"]).name for row in rows] == [
        "0.png",
        "2.png",
        "4.png",
        "1.png",
        "3.png",
        "5.png",
        "notes.txt",
    ]
    assert rows[-1]["error"] and not rows[-1]["grey.mean"]
    assert rows[5]["grey.error"] == "not_applicable: too bright" and rows[0]["grey.error"] == ""
    assert float(rows[0]["grey.mass.score"]) == float(rows[0]["grey.mean"])
    assert rows[0]["grey.bright"] == "False" and rows[0]["grey.a.area_px"] == "3"
    assert "grey.words" not in rows[0]
    assert outcome.with_errors == sum(bool(row["error"] or row["grey.error"]) for row in rows)


def test_the_classifiers_scores_stand_first_one_column_per_usable_finding(tmp_path: Path) -> None:
    """Expected: the card of the embedded classifier, which is good enough at thirteen of its fourteen findings."""
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.txt").write_text("not a film, and first in the table")
    for seed in (1, 2):
        made = make_phantom(PhantomSpec(seed=seed, size=256))
        (tmp_path / "films" / f"b{seed}.png").write_bytes(to_png(made.radiograph))
    out = tmp_path / "t.csv"
    models = ModelPool(device="cpu", profile="embedded")
    journal = Journal(tmp_path / "j.sqlite", {})
    list(run_cohort([tmp_path / "films"], [classify], models, journal, workers=2))
    write_table(journal, out)
    usable = {item.code for item in models.card("embedded-classifier").findings if item.usable}
    rows = read(out)
    names = list(rows[0])
    assert names[0] == "file" and set(names[1 : len(usable) + 1]) == usable
    assert all(0 <= float(row[code]) <= 1 for row in rows[1:] for code in usable) and not rows[0]["effusion"]
    assert rows[1]["effusion"] == rows[1]["classify.effusion.score"] != rows[2]["effusion"]


def test_a_broken_off_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    make_films(tmp_path / "films", 6)
    seen: list[str] = []
    journal = Journal(tmp_path / "j.sqlite", {})
    steps = run_cohort([tmp_path / "films"], [grey_tool(seen)], ModelPool(device="cpu"), journal, workers=1)
    next(steps)
    steps.close()
    kept = len(list(journal.rows()))
    journal.close()
    assert 1 <= kept < 6
    before = list(seen)
    again = Journal(tmp_path / "j.sqlite", {})
    [*_, last] = run_cohort([tmp_path / "films"], [grey_tool(seen)], ModelPool(device="cpu"), again, workers=2)
    assert last.done_before == kept and last.films == 7
    assert len(seen) - len(before) == 6 - kept + (kept > 6), "only what was not kept is asked again"
    assert len(list(again.rows())) == 7


def test_a_changed_film_is_done_again_and_a_deleted_one_goes(tmp_path: Path) -> None:
    make_films(tmp_path / "films", 4)
    seen: list[str] = []
    journal = Journal(tmp_path / "j.sqlite", {})
    list(run_cohort([tmp_path / "films"], [grey_tool(seen)], ModelPool(device="cpu"), journal, workers=1))
    seen.clear()
    Image.fromarray(np.full((80, 80), 7, np.uint8) + np.eye(80, dtype=np.uint8)).save(tmp_path / "films" / "0.png")
    (tmp_path / "films" / "notes.txt").unlink()
    list(run_cohort([tmp_path / "films"], [grey_tool(seen)], ModelPool(device="cpu"), journal, workers=1))
    assert len(seen) == 1 and len(list(journal.rows())) == 4


def test_a_run_with_other_tools_does_not_mix_with_this_one_raises(tmp_path: Path) -> None:
    Journal(tmp_path / "j.sqlite", {"tools": ["a"]}).close()
    with pytest.raises(BadArguments, match="other tools or models"):
        Journal(tmp_path / "j.sqlite", {"tools": ["b"]})


def test_two_runs_do_not_write_one_journal_raises(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j.sqlite", {})
    first.add(0, "a", "b", {})
    with pytest.raises(Unavailable, match="locked"):
        Journal(tmp_path / "j.sqlite", {})
    first.close()


def test_our_own_bug_surfaces_and_keeps_what_was_done(tmp_path: Path) -> None:
    make_films(tmp_path / "films", 3)

    @tool(name="broken", title="B", arguments=Arguments, result=Data, answers="-", prompt="p")
    def broken(context: ToolContext, arguments: Arguments) -> Result:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "films", tmp_path / "t.csv", [broken])
    assert not (tmp_path / "t.csv").exists()


def test_parquet_holds_the_same_with_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    make_films(tmp_path / "films", 5)
    run(tmp_path / "films", tmp_path / "t.csv", [grey_tool([])])
    run(tmp_path / "films", tmp_path / "t.parquet", [grey_tool([])])
    table = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    for typed, text in zip(table, read(tmp_path / "t.csv"), strict=True):
        assert typed["grey.mean"] is None if not text["grey.mean"] else typed["grey.mean"] == float(text["grey.mean"])
        assert typed["grey.bright"] in (True, False, None) and typed["file"] == text["file"]


@pytest.mark.parametrize(
    ("name", "message"), [("t.xlsx", "ends in .csv or .parquet"), ("there.csv", "is there already")]
)
def test_a_target_that_cannot_be_written_is_told_first_raises(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("")
    with pytest.raises(BadArguments, match=message):
        check_target(tmp_path / name)


def test_a_picture_that_nobody_acquired_is_a_row_without_values(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    film = make_phantom(PhantomSpec(seed=1, size=128)).radiograph
    for name, each in (("0.png", film), ("1.png", synthetic(film, "phantom", "hilum"))):
        (folder / name).write_bytes(to_png(each))
    seen: list[str] = []
    run(folder, tmp_path / "t.csv", [grey_tool(seen)])
    acquired, made = read(tmp_path / "t.csv")
    assert seen == [film.id] and acquired["grey.mean"] and not made["grey.mean"]
    assert made["error"].startswith("not_acquired: SYNTHETIC")
