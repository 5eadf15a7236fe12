"""Question sets: a row of LAYOUTS per data set says where its questions, films, options, answers and categories are.

Every row is checked before any is asked: an id twice, an answer that is no option, a film that leads out of the folder
refuse the set. Rows that are not chest films (or not in English) are left out and counted in the notes; a row whose
film is absent stays and counts as errored. Field names are those that public loaders read; of the sets themselves only
SLAKE's questions were at hand.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.formats.rows import Films, Table, find, fingerprint, first, read_table, repeated
from evals.questions import Question, Questions, refuse_rows

LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Layout:
    """Where a published question set keeps what.

    Attributes:
        title: for people, with its reference.
        files: its table, first found; the test split before others.
        question, answer, films, options, case, category: fields, the first that a row has. `options` hold a list, or
            one option each.
        keep: which rows are about chest films and in English.
        pair: field that the two questions of a pair share; empty for none.
        before: fields whose text is told before the question, e.g. what was asked and answered so far.
    """

    title: str
    files: tuple[str, ...]
    question: tuple[str, ...] = ("question",)
    answer: tuple[str, ...] = ("answer",)
    films: tuple[str, ...] = ("image_path", "image")
    options: tuple[str, ...] = ()
    case: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    keep: Callable[[Mapping[str, Any]], bool] = lambda row: True
    pair: str = ""
    before: tuple[str, ...] = ()
    id: tuple[str, ...] = ("qid", "id", "question_id")


def _vqarad_chest(row: Mapping[str, Any]) -> bool:
    return str(row.get("image_organ", "CHEST")).strip().upper() == "CHEST"


def _slake_chest(row: Mapping[str, Any]) -> bool:
    return (row.get("modality"), row.get("location"), row.get("q_lang")) == ("X-Ray", "Lung", "en")


def _mediconfusion_chest(row: Mapping[str, Any]) -> bool:
    told = str(first(row, ("modality", "category", "image_type")) or "chest x-ray").lower()
    return any(word in told for word in ("x-ray", "xray", "cxr", "radiograph"))


CHEXBENCH_TASKS = (
    "View Classification",
    "Binary Disease Classification",
    "Single Disease Identification",
    "Multiple Disease Identification",
    "Temporal Classification",
    "Visual Question Answering",
    "Image-Text Reasoning",
)
"""Those with options; report generation and summaries, and grounding, are scored otherwise."""

LAYOUTS = {
    "chexbench": Layout(
        "CheXbench, tasks with options (Chen et al. 2024)",
        ("data.json", "*chexbench*.json"),
        options=("option_0", "option_1", "option_2", "option_3"),
        category=("_key", "task"),
        keep=lambda row: row.get("_key", CHEXBENCH_TASKS[0]) in CHEXBENCH_TASKS,
    ),
    "rexvqa": Layout(
        "ReXVQA (Pal et al. 2025), five skills",
        ("*test*.json", "*valid*.json", "*.json"),
        answer=("correct_answer", "answer"),
        films=("ImagePath", "image_path", "images"),
        options=("options",),
        case=("study_id", "StudyInstanceUid", "PatientID"),
        category=("task_name", "category"),
        id=("id", "qid", "_key"),
    ),
    "cxreasonbench": Layout(
        "CXReasonBench (Lee et al. 2025), 12 tasks in stages",
        ("*.jsonl", "*.json"),
        options=("options",),
        films=("image_path", "img_path", "images"),
        case=("case_id", "dicom", "dicom_id"),
        category=("task", "measurement", "stage"),
        before=("context", "history"),
    ),
    "mediconfusion": Layout(
        "MediConfusion (Sepehri et al. 2024), pairs, those on plain films",
        ("*.jsonl", "*.json", "*.csv"),
        options=("options", "option_A", "option_B", "A", "B"),
        case=("pair_id", "set_id"),
        category=("category",),
        keep=_mediconfusion_chest,
        pair="pair_id",
        id=("id", "ID", "qid"),
    ),
    "vqarad": Layout(
        "VQA-RAD (Lau et al. 2018), chest",
        ("VQA_RAD Dataset Public.json", "*VQA_RAD*.json", "*.json"),
        films=("image_name",),
        case=("image_name",),
        category=("question_type", "answer_type"),
        keep=_vqarad_chest,
    ),
    "slake": Layout(
        "SLAKE (Liu et al. 2021), chest films, English",
        ("test.json", "slake_xray_questions.json", "*.json"),
        films=("img_name",),
        case=("img_id",),
        category=("content_type", "answer_type"),
        keep=_slake_chest,
    ),
    "gemex": Layout(
        "GEMeX (Liu et al. 2025)",
        ("*test*.json*", "*.jsonl", "*.json"),
        films=("image_path", "image", "dicom_id"),
        options=("choices", "options"),
        case=("study_id", "dicom_id"),
        category=("question_type", "type"),
    ),
    "radrestruct": Layout(
        "Rad-ReStruct (Pellegrini et al. 2023)",
        ("test_qa_pairs.json", "*qa_pairs*.json", "*.json"),
        options=("options",),
        films=("image", "image_path"),
        case=("report_id", "_key"),
        category=("level", "topic"),
        before=("history",),
    ),
}


def load(name: str, data: Path | None) -> Questions:
    """The questions of a data set in file order.

    Args:
        name: a key of LAYOUTS.
        data: its folder.

    Raises:
        BadArguments: the table is not there or a row cannot be scored.
    """
    layout = LAYOUTS[name]
    path = find(data, layout.files, layout.title)
    root = data if data is not None else path.parent
    rows, pictures = read_table(path), Films(root)
    kept = [(number, row) for number, row in enumerate(rows, 1) if layout.keep(row)]
    questions: list[Question] = []
    faults: list[str] = []
    for number, row in kept:
        try:
            questions.append(_question(layout, row, number, pictures))
        except ValueError as fault:
            faults.append(f"row {number}: {fault}")
    faults += [f"id {identity!r} occurs more than once" for identity in repeated(q.id for q in questions)]
    refuse_rows(str(path), faults, len(kept))
    digest = fingerprint(path.read_bytes(), *(f"{film}" for q in questions for film in q.films))
    return Questions(tuple(questions), digest, _notes(rows, questions))


def _question(layout: Layout, row: Mapping[str, Any], number: int, pictures: Films) -> Question:
    stem, answer = first(row, layout.question), first(row, layout.answer)
    if stem is None or answer is None:
        raise ValueError(f"no {layout.question[0] if stem is None else layout.answer[0]}")
    options = _options(layout, row)
    told = [str(row[name]) for name in layout.before if row.get(name)]
    lines = [*told, str(stem).strip(), *(f"{letter}) {words}" for letter, words in options.items())]
    films, unusable = _films(layout, row, pictures)
    identity = str(first(row, layout.id) or number)
    return Question(
        id=identity,
        case_id=str(first(row, layout.case) or identity),
        text="\n".join(lines),
        letters="".join(options),
        target=_target(answer, options) if options else str(answer).strip(),
        films=films,
        categories=(str(first(row, layout.category) or "uncategorised").strip().lower(),),
        unusable=unusable,
        pair=str(row.get(layout.pair) or "") if layout.pair else "",
    )


def _options(layout: Layout, row: Mapping[str, Any]) -> dict[str, str]:
    """The options by letter: from a list, an object by letter, a text that holds a list, or a field for each."""
    values: list[str] = []
    for name in layout.options:
        value = row.get(name)
        if isinstance(value, str) and value.strip().startswith(("[", "{")):
            value = ast.literal_eval(value)
        if isinstance(value, Mapping):
            return {str(letter).strip().upper(): str(words) for letter, words in value.items()}
        if isinstance(value, list):
            values = [str(item) for item in value]
            break
        if isinstance(value, str) and value.strip():
            values.append(value)
    letters = LETTERS[: len(values)]
    return {letter: _unlettered(words, letter) for letter, words in zip(letters, values, strict=True)}


def _unlettered(words: str, letter: str) -> str:
    """An option without the letter it may already begin with."""
    head, rest = words.strip()[:2], words.strip()[2:].strip()
    return rest if rest and head in (f"{letter}.", f"{letter})", f"{letter}:") else words.strip()


def _target(answer: Any, options: Mapping[str, str]) -> str:
    """The letter of an answer given as a letter, an index from 0, or the option's words."""
    said = str(answer).strip().strip("().").strip()
    if said.upper() in options:
        return said.upper()
    same = [letter for letter, words in options.items() if words.strip().lower() == str(answer).strip().lower()]
    if len(same) == 1:
        return same[0]
    if said.isdigit() and int(said) < len(options):
        return list(options)[int(said)]
    head = said[:1].upper()
    if head in options and said[1:2] in (".", ")", ":"):
        return head
    raise ValueError(f"answer {answer!r} is none of the options {', '.join(options)}")


def _films(layout: Layout, row: Mapping[str, Any], pictures: Films) -> tuple[tuple[Path, ...], str]:
    value = first(row, layout.films)
    names = value if isinstance(value, list) else [] if value is None else [value]
    found: list[Path] = []
    for name in names:
        film = pictures.find(str(name))
        if film is None:
            return (), f"film {name!r} is not there"
        found.append(film)
    return tuple(found), "" if names else "the row names no film"


def _notes(rows: Table, questions: list[Question]) -> tuple[str, ...]:
    notes = []
    if len(questions) < len(rows):
        left = len(rows) - len(questions)
        notes.append(f"{left} of {len(rows)} rows are not on chest films, or not asked here, and are left out")
    absent = [question for question in questions if question.unusable]
    if absent:
        notes.append(
            f"{len(absent)} of {len(questions)} questions lack a film and count as errored without being asked; "
            f"the first: {absent[0].id}: {absent[0].unusable}"
        )
    texts = repeated(f"{question.text}|{question.films}" for question in questions if question.films)
    if texts:
        notes.append(f"{len(texts)} questions are asked more than once of the same film, in the same words")
    return tuple(notes)
