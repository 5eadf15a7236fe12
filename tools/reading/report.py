"""A reading as what people ask of it: entities with relations, and each finding summed up over the report."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from tools.knowledge import findings, places, structures
from tools.reading.labels import Value, seen
from tools.reading.scope import Hedge, Stated
from tools.reading.statements import Reading, Statement


class Entity(BaseModel):
    """Words [start, end) of the text that name a finding or an anatomical place, or modify a finding."""

    id: int
    type: Literal["finding", "anatomy", "modifier"]
    text: str
    start: int
    end: int
    code: str
    name: str
    section: str
    status: Stated | None = None
    hedge: Hedge = Hedge.NONE
    side: str | None = None


class Relation(BaseModel):
    """finding located_at anatomy, modifier modify finding, or finding suggestive_of finding; ids of entities."""

    type: Literal["located_at", "modify", "suggestive_of"]
    source: int
    target: int


class ReportFinding(BaseModel):
    """What the report as a whole says of one finding on one side."""

    code: str
    name: str
    status: Value
    side: str | None
    places: list[str]
    severity: str | None
    change: str | None
    sizes_mm: list[float]
    quotes: list[str]

    def told(self) -> str:
        """ "pleural effusion (left, mild, unchanged, 12 mm)"; of what is denied, only its side and that it resolved."""
        if self.status is Value.ABSENT:
            facts = [fact for fact in (self.side, self.change) if fact]
            return f"{self.name} ({', '.join(facts)})" if facts else self.name
        where = self.places or ([self.side] if self.side and self.side not in self.name else [])
        size = [f"{' x '.join(f'{n:g}' for n in self.sizes_mm)} mm"] if self.sizes_mm else []
        facts = [*where, *(fact for fact in (self.severity, self.change) if fact), *size]
        return f"{self.name} ({', '.join(facts)})" if facts else self.name


def entities_of(reading: Reading) -> tuple[list[Entity], list[Relation]]:
    """A reading's statements as entities and relations between them, in the manner of RadGraph (Jain et al., 2021)."""
    entities: list[Entity] = []
    relations: list[Relation] = []
    finding_ids: list[int] = []

    def add(kind: Literal["finding", "anatomy", "modifier"], start: int, end: int, **told: object) -> int:
        text = reading.text[start:end]
        made = Entity.model_validate(
            {"id": len(entities) + 1, "type": kind, "text": text, "start": start, "end": end} | told
        )
        same = next((e for e in entities if (e.type, e.start, e.end, e.code) == (kind, start, end, made.code)), None)
        if same is not None and kind != "finding":
            return same.id
        entities.append(made)
        return made.id

    for statement in reading.statements:
        own = add(
            "finding", statement.start, statement.end, code=statement.code, name=name_of(statement.code),
            section=statement.section, status=statement.stated, hedge=statement.hedge, side=statement.side,
        )  # fmt: skip
        finding_ids.append(own)
        for place in statement.places:
            where = add("anatomy", place.start, place.end, code=place.code, name=name_of(place.code),
                        section=statement.section, side=place.side)  # fmt: skip
            relations.append(Relation(type="located_at", source=own, target=where))
        for modifier in statement.modifiers:
            said = add("modifier", modifier.start, modifier.end, code=modifier.kind, name=modifier.value,
                       section=statement.section)  # fmt: skip
            relations.append(Relation(type="modify", source=said, target=own))
        if statement.suggested_by is not None:
            relations.append(Relation(type="suggestive_of", source=finding_ids[statement.suggested_by], target=own))
    return entities, relations


def name_of(code: str) -> str:
    """The ontology's name of a finding, structure or place; any other word stands for itself."""
    for known in (findings(), structures(), places()):
        if code in known:
            return known[code].name
    return code


def summed_up(reading: Reading) -> list[ReportFinding]:
    """What a report says of each finding, a side apart where it states the finding on both in different ways.

    A statement counts before a doubt, a doubt before a denial; what is only mentioned is left out.
    """
    rows: list[ReportFinding] = []
    told = [statement for statement in seen(reading) if statement.stated is not Stated.UNSTATED]
    for code in dict.fromkeys(statement.code for statement in told):
        about = [statement for statement in told if statement.code == code]
        strongest = min(_RANK[statement.stated] for statement in about)
        decisive = [statement for statement in about if _RANK[statement.stated] == strongest]
        for side in _sides(decisive):
            mine = [statement for statement in decisive if statement.side in {side, None}]
            rows.append(_row(reading, code, side, mine))
    return rows


_RANK = {Stated.PRESENT: 0, Stated.UNCERTAIN: 1, Stated.ABSENT: 2}


def _sides(statements: list[Statement]) -> list[str | None]:
    sides: list[str | None] = list(dict.fromkeys(statement.side for statement in statements if statement.side))
    return sides or [None]


def _row(reading: Reading, code: str, side: str | None, statements: list[Statement]) -> ReportFinding:
    def first(values: list[str | None]) -> str | None:
        return next((value for value in values if value), None)

    return ReportFinding(
        code=code,
        name=name_of(code),
        status=Value(statements[0].stated.value),
        side=side,
        places=list(dict.fromkeys(_place(s, n) for s in statements for n in range(len(s.places)))),
        severity=first([s.severity for s in statements]),
        change=first([s.change for s in statements]),
        sizes_mm=next((list(s.sizes_mm) for s in statements if s.sizes_mm), []),
        quotes=list(dict.fromkeys(reading.text[s.start : s.end] for s in statements)),
    )


def _place(statement: Statement, n: int) -> str:
    place = statement.places[n]
    name = name_of(place.code)
    return f"{place.side} {name}" if place.side and place.side not in name else name
