"""The index of past cases: its sources, its making, its vectors, and who is never found in it."""

from __future__ import annotations

import base64
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from stub_pool import card, phantom, quality_of_picture

from imaging.derived import processed, to_png
from imaging.failures import BadArguments, FilmRefused, Unavailable
from imaging.identity import pseudonym
from imaging.pacs import Found, Pacs, Query
from imaging.phantom import PhantomSpec, make_phantom
from imaging.phantom.files import dataset
from imaging.radiograph import Radiograph, Source, View, canonical, film_id
from imaging.store import ImageStore
from models.outputs import Embedding, Masks, Quality, Scores, Task
from models.pool import ModelPool
from models.predictions import Prediction
from tools.cases import CaseLibrary, Entry, folder_entries, pacs_entries, vectors
from tools.cases.building import Progress, build_index
from tools.cases.entries import Given, read_table
from tools.cases.looks import Scale, set_apart
from tools.cases.parts import ZONES, box_of, zones_of
from tools.cases.ranking import agreement
from tools.cases.sameness import same_picture, signature
from tools.contract import ToolContext
from tools.retrieve_cases import RetrieveCasesData, retrieve_cases
from ui.terminal.indexing import Films

CODES = ("effusion", "pneumothorax", "nodule")
SIDE = 64


class Looks:
    """A pool whose encoder and classifier say of a film what a test wrote down for it."""

    def __init__(self, revision: str = "r1", tasks: Sequence[Task] = (Task.EMBED, Task.CLASSIFY, Task.QUALITY)) -> None:
        self.revision, self.tasks = revision, tasks
        self.looks: dict[str, tuple[list[float], list[float]]] = {}
        self.asked: list[str] = []
        self.quality: dict[str, Quality] = {}

    def knows(self, film: Radiograph, vector: Sequence[float], scores: Sequence[float] = (0.1, 0.1, 0.1)) -> Radiograph:
        """The film, with what the models will say of it."""
        self.looks[film.id] = list(vector), list(scores)
        return film

    def predict(self, task: Task, films: Sequence[Radiograph], *, model_id: str | None = None) -> list[Prediction]:
        made = card(task, revision=self.revision)
        answers: list[Any] = []
        for film in films:
            if task is Task.QUALITY:
                answers.append(self.quality.get(film.id, quality_of_picture()))
                continue
            self.asked.append(film.id)
            vector, scores = self.looks[film.id]
            unit = np.array(vector, dtype=np.float32) / np.linalg.norm(vector)
            scored = Scores(CODES, np.array(scores, dtype=np.float32))
            answers.append(Embedding(unit, f"stub@{self.revision}") if task is Task.EMBED else scored)
        return [Prediction(answer, made, made.id, made.revision, False, 1.0) for answer in answers]

    def resolve(self, task: Task, model_id: str | None = None) -> Any:
        return SimpleNamespace(id=f"stub-{task.value}")

    def card(self, model_id: str) -> Any:
        return card(Task(model_id.removeprefix("stub-")), revision=self.revision)

    def serves(self, task: Task) -> bool:
        return task in self.tasks


def film(seed: int, **facts: Any) -> Radiograph:
    """Coarse noise, different for every seed."""
    coarse = np.random.default_rng(seed).random((8, 8))
    pixels = canonical(np.kron(coarse, np.ones((SIDE // 8, SIDE // 8))))
    source = Source("made by a test", SIDE, SIDE, 8, "MONOCHROME2")
    known: dict[str, Any] = {"view": View.PA, "view_origin": "header", **facts}
    return Radiograph(id=film_id(pixels), pixels=pixels, source=source, **known)


def entry(each: Radiograph, given: Given | None = None, digest: str = "") -> Entry:
    return Entry(f"file-{each.id}", digest or each.id, lambda: each, given or Given())


def made(entries: Sequence[Entry], pool: Looks, home: Path, **options: bool) -> Progress:
    return list(build_index(entries, cast(ModelPool, pool), home, **options))[-1]


def asked(pool: Looks, home: Path, query: Radiograph, **arguments: Any) -> Any:
    films = ImageStore()
    films.add(query)
    context = ToolContext(films=films, models=cast(ModelPool, pool), home=home)
    return retrieve_cases.run(context, {"image_id": query.id, **arguments})


def found(pool: Looks, home: Path, query: Radiograph, **arguments: Any) -> list[int]:
    result = asked(pool, home, query, **arguments)
    assert result.ok and isinstance(result.data, RetrieveCasesData), result.failure
    return [case.number for case in result.data.cases]


@pytest.fixture
def library(tmp_path: Path) -> tuple[Looks, Path, Radiograph]:
    """Six cases around a query at angle 0: case n lies at 10 n degrees; the query's patient has case 2."""
    pool = Looks()
    query = pool.knows(film(0, patient_key="me", age_years=50.0), [1.0, 0.0, 0.0], [0.9, 0.1, 0.1])
    entries = []
    for number in range(1, 7):
        angle = np.radians(10.0 * number)
        facts = {
            "patient_key": "me" if number == 2 else f"p{number}",
            "age_years": 30.0 + 10 * number,
            "sex": "F" if number % 2 else "M",
            "view": View.AP if number == 5 else View.PA,
            "acquired": dt.date(2010 + number, 6, 1),
        }
        each = pool.knows(
            film(number, **facts), [np.cos(angle), np.sin(angle), 0.0], [0.9 if number in (3, 6) else 0.1, 0.1, 0.1]
        )
        entries.append(entry(each, Given(report=f"Report {number}. " + "word " * 200)))
    entries.append(entry(query))
    made(entries, pool, tmp_path)
    return pool, tmp_path, query


def test_nearest_cases_come_first_without_the_film_itself_and_its_patient(
    library: tuple[Looks, Path, Radiograph],
) -> None:
    pool, home, query = library
    result = asked(pool, home, query, k=6)
    cases = result.data.cases
    assert {case.number for case in cases} == {1, 3, 4, 5, 6}
    similarities = [case.similarity for case in cases]
    assert similarities == sorted(similarities, reverse=True) and all(-1 <= value <= 1 for value in similarities)
    assert [case.number for case in cases[:3]] == [3, 6, 1], "first those with the clear effusion, then the nearest"
    assert next(case for case in cases if case.number == 3).shared == ["effusion"]
    assert "pleural effusion" in next(case for case in cases if case.number == 3).why
    assert cases[0].quoted.startswith("Report") and cases[0].quoted.endswith("…") and len(cases[0].quoted) < 300
    assert Image.open(io.BytesIO(base64.b64decode(cases[0].png))).size == (SIDE, SIDE)
    assert any("no probability" in caveat for caveat in result.caveats)
    assert "Report" not in result.summary


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"finding": "effusion"}, {3, 6}),
        ({"without_finding": "effusion"}, {1, 4, 5}),
        ({"view": "AP"}, {5}),
        ({"sex": "M"}, {4, 6}),
        ({"age_from": 60, "age_to": 80}, {3, 4, 5}),
        ({"acquired_from": "2014-01-01", "acquired_to": "2015-12-31"}, {4, 5}),
        ({"view": "LATERAL"}, set()),
        ({"k": 2, "sex": "F"}, None),
    ],
)
def test_cases_are_restricted_to_what_is_wanted(
    library: tuple[Looks, Path, Radiograph], wanted: dict[str, Any], numbers: set[int] | None
) -> None:
    pool, home, query = library
    assert set(found(pool, home, query, **wanted)) == numbers if numbers is not None else True
    assert len(found(pool, home, query, **wanted)) <= wanted.get("k", 5)


def test_nothing_found_is_said(library: tuple[Looks, Path, Radiograph]) -> None:
    pool, home, query = library
    assert "No past case was found: 0 of the index's 7 films" in asked(pool, home, query, view="LATERAL").summary


def test_frontal_film_finds_lateral_ones_in_an_index_of_these_alone(tmp_path: Path) -> None:
    """Nothing scored them, so that there are no findings to rank by."""
    pool = Looks()
    entries = [entry(pool.knows(film(number, view=View.LATERAL), [1.0, number, 0.0])) for number in (1, 2)]
    made(entries, pool, tmp_path)
    query = pool.knows(film(0), [1.0, 0.0, 0.0], [0.9, 0.1, 0.1])
    assert sorted(found(pool, tmp_path, query, view="LATERAL")) == [1, 2]


def test_same_picture_in_another_file_is_not_found(tmp_path: Path) -> None:
    pool = Looks()
    query = pool.knows(phantom().radiograph, [1.0, 0.0])
    small = np.asarray(Image.fromarray(np.array(query.pixels)).resize((200, 200)), dtype=np.float32).clip(0, 1)
    twin = replace(query, id=film_id(canonical(small)), pixels=canonical(small), patient_key=None)
    pool.knows(twin, [1.0, 0.001])
    other = pool.knows(phantom(4).radiograph, [0.5, 0.5])
    made([entry(twin), entry(other)], pool, tmp_path)
    assert found(pool, tmp_path, query) == [2]


def test_patient_of_a_film_without_a_header_is_known_from_the_index(tmp_path: Path) -> None:
    pool = Looks()
    query, sibling, other = (pool.knows(film(n), [1.0, n]) for n in range(3))
    mine = Given(patient_key="me")
    made([entry(query, mine), entry(sibling, mine), entry(other)], pool, tmp_path)
    result = asked(pool, tmp_path, query)
    assert [case.number for case in result.data.cases] == [3]
    stranger = pool.knows(film(9), [1.0, 0.0])
    assert any("names no patient" in caveat for caveat in asked(pool, tmp_path, stranger).caveats)


def test_broken_off_run_goes_on_and_a_further_run_adds(tmp_path: Path) -> None:
    pool = Looks()
    entries = [entry(pool.knows(film(n), [1.0, n])) for n in range(20)]
    steps = build_index(entries, cast(ModelPool, pool), tmp_path)
    assert next(steps).added == 8
    steps.close()
    with pytest.raises(Unavailable, match="not finished"):
        CaseLibrary.at(tmp_path)
    pool.asked.clear()
    progress = made(entries, pool, tmp_path)
    assert (progress.added, progress.known, len(set(pool.asked))) == (12, 8, 12)
    assert CaseLibrary.at(tmp_path).films == 20
    made([entry(pool.knows(film(50), [1.0, 3.0]))], pool, tmp_path)
    assert CaseLibrary.at(tmp_path).films == 21


def test_picture_that_is_there_already_is_one_row(tmp_path: Path) -> None:
    pool = Looks()
    each = pool.knows(film(1), [1.0, 0.0])
    progress = made([entry(each), entry(each, digest="another file")], pool, tmp_path)
    assert (progress.added, progress.same) == (1, 1)
    assert made([entry(each, digest="another file")], pool, tmp_path).known == 1


def test_what_is_no_film_to_compare_with_is_refused_with_its_reason(tmp_path: Path) -> None:
    pool = Looks()
    good = pool.knows(film(1), [1.0, 0.0])
    faded = processed(good, good.pixels * 0.5, "faded", "test")
    cat = film(3)
    pool.quality[cat.id] = quality_of_picture(is_chest=False, is_chest_score=0.01)

    def broken() -> Radiograph:
        raise FilmRefused("It is a text.")

    progress = made([entry(good), entry(faded), entry(cat), Entry("x", "x", broken)], pool, tmp_path)
    reasons = [reason for _, reason in progress.refused]
    assert progress.added == 1 and len(reasons) == 3
    assert reasons[0].startswith("PROCESSED") and "does not look like" in reasons[1] and "text" in reasons[2]


def test_index_of_another_model_is_not_mixed_and_can_be_made_anew(tmp_path: Path) -> None:
    pool, newer = Looks(), Looks(revision="r2")
    each = newer.knows(pool.knows(film(1), [1.0, 0.0]), [1.0, 0.0])
    made([entry(each)], pool, tmp_path)
    with pytest.raises(BadArguments, match="revision was r1, is r2"):
        made([entry(each)], newer, tmp_path)
    result = asked(newer, tmp_path, newer.knows(film(2), [1.0, 1.0]))
    assert result.failure is not None and result.failure.kind == "unavailable" and "--anew" in result.failure.hint
    assert made([entry(each)], newer, tmp_path, anew=True).added == 1
    assert asked(newer, tmp_path, film(2)).ok


def test_no_index_is_unavailable_with_the_remedy(tmp_path: Path) -> None:
    pool = Looks()
    result = asked(pool, tmp_path, pool.knows(film(1), [1.0, 0.0]))
    assert result.failure is not None and result.failure.kind == "unavailable"
    assert "hilum index cases" in result.failure.hint


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"age_from": 60, "age_to": 40}, "ends before it begins"),
        ({"acquired_from": "2020-01-02", "acquired_to": "2020-01-01"}, "ends before it begins"),
        ({"finding": "efusion"}, "No finding has the code"),
        ({"k": 0}, "greater than or equal to 1"),
        ({"anatomy": "left_zone"}, "left_upper_zone"),
    ],
)
def test_wrong_arguments_are_named(
    library: tuple[Looks, Path, Radiograph], arguments: dict[str, Any], words: str
) -> None:
    pool, home, query = library
    result = asked(pool, home, query, **arguments)
    assert result.failure is not None and result.failure.kind == "bad_arguments" and words in result.failure.message


def test_zone_without_zones_in_the_index_is_unavailable(library: tuple[Looks, Path, Radiograph]) -> None:
    pool, home, query = library
    result = asked(pool, home, query, anatomy="left_lower_zone")
    assert result.failure is not None and "--zones" in result.failure.hint


def unit(count: int, dimension: int, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Vectors of length 1 in 20 clusters."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(20, dimension))
    made = centres[rng.integers(20, size=count)] + 0.5 * rng.normal(size=(count, dimension))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def test_agreement_is_of_the_clear_findings_alone() -> None:
    """Scale of mean 0 and spread 2: only the first finding lies a spread above its limit; the third is not usable."""
    scale = Scale(np.zeros(3, dtype=np.float32), np.full(3, 2.0, dtype=np.float32))
    seen, limits = np.array([4.0, 1.0, 9.0], dtype=np.float32), np.array([1.0, 0.0, np.inf], dtype=np.float32)
    past = np.array([[8, 0, 0], [4, -9, 0], [2, 9, 9], [0, 0, 0], [-8, 0, 0]], dtype=np.float32)
    assert agreement(seen, past, limits, scale) == pytest.approx([1, 1, 0.5, 0, -1])
    assert agreement(np.zeros(3, dtype=np.float32), past, limits, scale) is None


@pytest.mark.parametrize("exact_up_to", [20_000, 500])
def test_search_agrees_with_comparing_one_by_one(
    exact_up_to: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Truth: inner products with NumPy."""
    monkeypatch.setattr(vectors, "EXACT_UP_TO", exact_up_to)
    held, queries = unit(3000, 16, 0), unit(20, 16, 1)
    built = vectors.build(lambda: vectors.in_chunks(held, 700), 16, 3000, tmp_path / "x.faiss")
    index = vectors.Vectors(tmp_path / "x.faiss", built)
    assert built.kind == ("exact" if exact_up_to > 3000 else "lists") and len(index) == 3000
    assert built.recall_at_10 >= vectors.RECALL_WANTED
    everything = np.ones(3001, dtype=np.bool_)
    few = everything & (np.arange(3001) % 100 == 7)
    for allowed, wanted in ((everything, 0.9), (few, 1.0)):
        numbers = np.flatnonzero(allowed[1:]) + 1
        truth = numbers[np.argsort(-(queries @ held[numbers - 1].T), axis=1)[:, :10]]
        answers = [index.search(query, 10, allowed) for query in queries]
        assert vectors.recall(np.array([n for n, _ in answers]), truth) >= wanted
        assert all(allowed[n].all() and (np.diff(p) <= 1e-6).all() for n, p in answers)
    assert np.array_equal(vectors.nearest_exactly(queries, vectors.in_chunks(held, 999), 10)[0],
                          np.argsort(-(held @ queries[0]))[:10] + 1)  # fmt: skip


def test_same_picture_is_known_in_other_sizes_and_greys_and_another_patient_is_not() -> None:
    one, other = (
        Image.fromarray((make_phantom(PhantomSpec(seed=seed, size=256)).radiograph.pixels * 255).astype(np.uint8))
        for seed in (1, 2)
    )
    mine = signature(one)
    gamma = one.point(lambda v: int(255 * (v / 255) ** 1.3))
    for again in (one.resize((128, 128)), one.point(lambda v: 255 - v), gamma):
        assert same_picture(mine, signature(again))
    assert not same_picture(mine, signature(other))


TABLE = """file,report,patient_id,Age,Sex,view,date,Effusion,Pleural_Thickening,fold
a/one.png,"Left effusion, see note",7,61,F,PA,2020-03-04,1,0,3
two,,8,,M,L,,,1,
"""


def test_table_says_what_headers_do_not(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    table = read_table(tmp_path / "t.csv")
    assert table.unused == ("fold",)
    one, two = table.of("/films/b/one.png"), table.of("x/two.dcm")
    assert one is not None and two is not None and table.of("three.png") is None
    assert (one.report, one.age_years, one.sex, one.view, one.acquired) == (
        "Left effusion, see note", 61, "F", View.PA, dt.date(2020, 3, 4),
    )  # fmt: skip
    assert one.labels == {"effusion": True, "pleural_thickening": False} and two.labels == {"pleural_thickening": True}
    assert one.patient_key == pseudonym("patient", "7", "") and two.view is View.LATERAL
    header = film(1, patient_key="header", view=View.AP)
    joined = one.of(header)
    assert (joined.patient_key, joined.view, joined.age_years) == ("header", View.AP, 61)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,report\nx,y\n", "no column that names the film"),
        ("file,age\na.png,old\n", "line 2: 'old' is no age"),
        ("file,date\na.png,1.2.2020\n", "is no date"),
        ("file\na.png\na.png\n", "a.png stands there twice"),
    ],
)
def test_table_that_cannot_be_used_is_bad_arguments(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(BadArguments, match=words):
        read_table(tmp_path / "t.csv")


def test_folder_is_a_source_with_the_tables_rows(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "one.png").write_bytes(to_png(film(1)))
    (tmp_path / "films" / "note.txt").write_text("x")
    (tmp_path / "t.csv").write_text(TABLE)
    entries = list(folder_entries([tmp_path / "films"], read_table(tmp_path / "t.csv")))
    by_name = {Path(each.name).name: each for each in entries}
    assert by_name["one.png"].film().shape == (SIDE, SIDE) and by_name["one.png"].given.sex == "F"
    with pytest.raises(FilmRefused):
        by_name["note.txt"].film()


class Archive:
    """A PACS of one study whose second film it names and does not give; counts what is fetched."""

    address = "dicom://TEST@127.0.0.1:104"

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.queries: list[Query] = []

    def find(self, query: Query) -> list[Found]:
        self.queries.append(query)
        return [Found("1.2", "p", "", "20260101", "", ("DX",))]

    def instances(self, study: str) -> list[tuple[str, str]]:
        return [("1.2.3", "1.2.3.4"), ("1.2.3", "1.2.3.5")]

    def get(self, study: str, series: str = "", instance: str = "") -> Iterator[Dataset]:
        self.fetched.append(instance)
        if instance == "1.2.3.4":
            yield dataset(phantom())


def test_query_of_a_pacs_is_a_source_whose_known_films_are_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,report\n1.2.3.4,Small effusion.\n")
    archive, asked_for = Archive(), Query(dates="20260101-20260131")
    table = read_table(tmp_path / "t.csv")

    def entries() -> list[Entry]:
        return list(pacs_entries(cast(Pacs, archive), asked_for, table))

    first, second = entries()
    assert archive.fetched == [], "a film is fetched when its turn comes"
    assert (first.name, first.given.report, second.given.report) == ("1.2.3.4", "Small effusion.", "")
    pool = Looks()
    pool.knows(first.film(), [1.0, 0.0, 0.0])
    once = made(entries(), pool, tmp_path)
    assert (once.added, [name for name, _ in once.refused]) == (1, ["1.2.3.5"])
    archive.fetched.clear()
    again = made(entries(), pool, tmp_path)
    assert (again.known, again.added, archive.fetched) == (1, 0, ["1.2.3.5"])
    assert set(archive.queries) == {asked_for}


@pytest.mark.parametrize(
    ("folders", "pacs", "dates"),
    [
        ((), "", ""),
        ((Path(),), Archive.address, "20260101"),
        ((), Archive.address, ""),
        ((Path(),), "", "20260101"),
    ],
)
def test_films_come_from_folders_or_from_a_restricted_query(folders: tuple[Path, ...], pacs: str, dates: str) -> None:
    with pytest.raises(BadArguments, match="PACS"):
        Films(folders, pacs, ("", "HILUM", ""), "", dates)


def test_short_name_that_two_rows_share_names_neither(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,age\na/x.png,30\nb/x.png,40\ny.png,50\ny.dcm,60\n")
    table = read_table(tmp_path / "t.csv")
    ages = {
        name: given.age_years for name in ("q/a/x.png", "b/x.png", "c/x.png", "y.png", "y") if (given := table.of(name))
    }
    assert ages == {"q/a/x.png": 30, "b/x.png": 40, "y.png": 50}


def test_zone_is_compared_by_what_sets_it_apart_from_the_other_side(tmp_path: Path) -> None:
    """Truth: a zone's vector is its own less its opposite's, so what both sides share does not count."""
    kinds = {
        "film": np.array([9.0, 9.0], dtype=np.float32),
        "left_lower_zone": np.array([1.0, 0.5], dtype=np.float32),
        "right_lower_zone": np.array([0.25, 0.5], dtype=np.float32),
        "left_upper_zone": np.array([1.0, 1.0], dtype=np.float32),
    }
    apart = set_apart(kinds)
    assert set(apart) == set(kinds) - {"film"}
    assert apart["left_lower_zone"].tolist() == [0.75, 0.0] and apart["right_lower_zone"].tolist() == [-0.75, 0.0]
    assert not apart["left_upper_zone"].any()


def test_zones_are_thirds_of_either_lung() -> None:
    """Truth: the phantom's lungs, whose zones hold their own third and no other lung."""
    made = phantom()
    masks = Masks(
        ("left_lung", "right_lung"),
        np.stack([made.masks["left_lung"], made.masks["right_lung"]]),
        np.ones(2, dtype=np.float32),
    )
    zones = zones_of(made.radiograph, masks)
    assert set(zones) == set(ZONES)
    both = made.masks["left_lung"] | made.masks["right_lung"]
    rows = np.flatnonzero(both.any(axis=1))
    for place, third in enumerate(("upper", "middle", "lower")):
        box = box_of(both, made.masks["left_lung"], place)
        inside = made.masks["left_lung"][box[0] : box[2], box[1] : box[3]]
        middle = rows[0] + (place + 0.5) * (rows[-1] + 1 - rows[0]) / 3
        assert box[0] < middle < box[2] and inside.any()
        assert zones[f"left_{third}_zone"].shape == (box[2] - box[0], box[3] - box[1])
        assert (box[1] + box[3]) / 2 > both.shape[1] / 2, "the patient's left is at the right of the film"
