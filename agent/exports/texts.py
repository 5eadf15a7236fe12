"""The report as Markdown and JSON, its findings as CSV. No name, number, UID or file name of a patient is in them."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from agent.draft import Decision, DraftSentence
from agent.exports.material import Material, Row
from tools.contract.wording import score_meaning, sentence_case
from tools.knowledge import findings as known_findings

TITLE = "Chest radiograph: report"
DECIDED = {
    Decision.PROPOSED: "",
    Decision.ACCEPTED: "",
    Decision.CHANGED: "changed by the reader",
    Decision.REJECTED: "rejected by the reader",
}
"""What is written behind a sentence of that decision."""
MARKS = re.compile(r"([\\`*_{}\[\]<>#|])")
"""Characters that Markdown or HTML would read as marks."""
CSV_COLUMNS = (
    *("film", "film_id", "code", "finding", "status", "side", "region", "score", "score_kind", "threshold", "reason"),
    *("evidence", "models", "reader", "report_status", "written_by", "snomed", "radlex"),
)


def markdown(material: Material) -> str:
    """The report as Markdown: status, films, sections, findings, measurements, evidence, disclaimer."""
    lines = [f"# {TITLE}", "", f"**{plain(material.draft.status)}**", "", plain(material.answer.disclaimer), ""]
    lines += ["| Film | View | Date | Pixels | mm per pixel |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(plain(cell) for cell in cells)} |" for cells in film_rows(material)]
    for title, sentences in material.draft.standing():
        lines += ["", f"## {plain(title)}", "", *(f"- {_sentence(sentence)}" for sentence in sentences)]
    if material.rows:
        lines += [
            "",
            "## Findings and scores",
            "",
            f"| {' | '.join(FINDING_HEADS)} |",
            "|" + "---|" * len(FINDING_HEADS),
        ]
        lines += [f"| {' | '.join(plain(cell) for cell in finding_cells(row))} |" for row in material.rows]
    if material.quantities:
        lines += ["", "## Measurements", "", "| Film | Measurement | Value | Evidence |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(plain(cell) for cell in cells)} |" for cells in quantity_rows(material)]
    lines += ["", "## What it rests on", "", *(f"- {plain(line)}" for line in provenance_lines(material)), ""]
    return "\n".join(lines)


def plain(text: str) -> str:
    """Text from outside as Markdown that shows just that text, on one line."""
    return MARKS.sub(r"\\\1", " ".join(text.split()))


def _sentence(sentence: DraftSentence) -> str:
    cited = f" [{', '.join(sentence.evidence)}]" if sentence.evidence else ""
    note = f" *({DECIDED[sentence.decision]})*" if DECIDED[sentence.decision] else ""
    return f"{plain(sentence.text)}{cited}{note}"


def film_rows(material: Material) -> list[tuple[str, str, str, str, str]]:
    """(name, view, date, size, spacing) of each film; of a made one what it is."""
    rows = []
    for image in material.answer.images:
        spacing = image["spacing_mm"]
        mm = f"{spacing[0]:.3f} x {spacing[1]:.3f} ({image['spacing_origin']})" if spacing else "not known"
        made = image["derived"]
        view = f"{made['kind']}: {made['what']}" if made else image["view"]
        rows.append(
            (image["name"], view, image["acquired"] or "not known", f"{image['rows']} x {image['columns']}", mm)
        )
    return rows


FINDING_HEADS = ("Film", "Finding", "Status", "Side", "Score", "Meaning", "Evidence", "Reader")


def finding_cells(row: Row) -> tuple[str, ...]:
    """The cells under FINDING_HEADS."""
    finding = row.finding
    return (
        row.film_name,
        row.name,
        finding.status.value.replace("_", " "),
        finding.laterality or "",
        "" if finding.score is None else f"{finding.score:.2f}",
        finding.reason if finding.score is None else score_meaning(finding.score_kind, finding.threshold),
        " ".join(finding.evidence),
        row.reader,
    )


def quantity_rows(material: Material) -> list[tuple[str, str, str, str]]:
    """(film, measurement, value with unit, evidence)."""
    return [
        (
            material.film_names.get(q.image_id, q.image_id),
            sentence_case(q.name),
            f"{q.value:g} {q.unit}".strip(),
            q.evidence.id,
        )
        for q in material.quantities
    ]


def provenance_lines(material: Material) -> list[str]:
    """Every evidence record, every model with revision and licence, who drafted, and when it was exported."""
    lines = []
    for record in material.answer.evidence:
        by = f", {record.model}@{record.revision}" if record.model else ""
        failed = f": failed, {record.failure.message}" if record.failure else ""
        caveats = f" Caveats: {' '.join(record.caveats)}" if record.caveats else ""
        lines.append(f"{record.id}: {record.title} (tool {record.tool}{by}){failed}.{caveats}")
    lines += [f"Model {used.id} at revision {used.revision}: {used.title}, {used.licence}" for used in material.models]
    lines.append(f"Drafted by {material.written_by}. Exported {material.made_at:%Y-%m-%d %H:%M} UTC.")
    return lines


def as_json(material: Material) -> str:
    """Status, draft with every decision, findings, numbers, and the whole answer with its evidence, as JSON."""
    body: dict[str, Any] = {
        "format": "hilum-report",
        "format_version": 1,
        "status": material.draft.status,
        "signed": material.signed,
        "exported_at": material.made_at.isoformat(),
        "software": material.software,
        "planner": material.answer.planner,
        "models": [used.__dict__ for used in material.models],
        "draft": material.draft.model_dump(mode="json"),
        "findings": [
            row.finding.model_dump(mode="json") | {"name": row.name, "reader": row.reader} for row in material.rows
        ],
        "measurements": [
            {"code": q.code, "name": q.name, "value": q.value, "unit": q.unit, "image_id": q.image_id,
             "evidence": q.evidence.id}
            for q in material.quantities
        ],
        "answer": material.answer.model_dump(mode="json", exclude={"notes"}),
    }  # fmt: skip
    return json.dumps(body, ensure_ascii=False, indent=1)


def findings_csv(material: Material) -> str:
    """One row per finding and film, UTF-8 with a head line."""
    models = {record.id: f"{record.model}@{record.revision}" for record in material.answer.evidence if record.model}
    stream = io.StringIO()
    writer = csv.DictWriter(stream, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in material.rows:
        finding, concept = row.finding, known_findings().get(row.finding.code)
        told = {
            "film": row.film_name, "film_id": finding.image_id, "code": finding.code, "finding": row.name,
            "status": finding.status.value, "side": finding.laterality, "region": finding.region,
            "score": finding.score, "score_kind": finding.score_kind and finding.score_kind.value,
            "threshold": finding.threshold, "reason": finding.reason, "evidence": " ".join(finding.evidence),
            "models": " ".join(dict.fromkeys(models[e] for e in finding.evidence if e in models)),
            "reader": row.reader, "report_status": material.draft.status, "written_by": material.written_by,
            "snomed": concept.snomed if concept else None, "radlex": concept.radlex if concept else None,
        }  # fmt: skip
        writer.writerow({key: _cell(value) for key, value in told.items()})
    return stream.getvalue()


def _cell(value: object) -> object:
    """A text that a spreadsheet would run as a formula is given a quote before it (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
