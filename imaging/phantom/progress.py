"""The same patient at several dates, with findings that grow, shrink, come and go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from imaging.failures import BadArguments
from imaging.phantom.body import sample_body
from imaging.phantom.film import PhantomFilm, make_phantom
from imaging.phantom.findings import FindingSpec, parse_finding
from imaging.phantom.lesions import draws, mask_name
from imaging.phantom.person import person
from imaging.phantom.picture import spawn
from imaging.phantom.spec import PhantomSpec

Key = tuple[str, str | None, int]


def progression(
    spec: PhantomSpec, dates: Sequence[dt.date], changes: Sequence[Sequence[FindingSpec | str]]
) -> tuple[PhantomFilm, ...]:
    """One film per date: same body, each time positioned and exposed anew.

    Args:
        spec: the patient; its findings are there at every date unless a change replaces them.
        dates: of the films, in any order.
        changes: what each date shows beside or in place of the spec's findings. An entry replaces a finding of the same
            code, side and number (`nodule:left:#2`; #1 when unsaid); written with a minus in front
            (`-effusion:left`) it takes it away.

    A finding is the same at all dates: it keeps its shape whatever comes or goes beside it, and a focal one its place
    whatever its size becomes. Give each side its own entry: 'bilateral' counts as a side of its own.

    Raises:
        BadArguments: not as many changes as dates, or no dates.
    """
    if not dates or len(dates) != len(changes):
        raise BadArguments(f"{len(dates)} dates and {len(changes)} changes.", "Give one list of changes per date.")
    body = sample_body(spec, spawn(7, spec))
    # What the body draws stays, so that inspiration and habitus do not depend on the visit; so does the birth date.
    spec = replace(
        spec, age_years=body.age_years, sex=body.sex, habitus=body.habitus, inspiration=body.inspiration
    )  # fmt: skip
    spec = replace(spec, born=person(replace(spec, date=min(dates))).born)
    places: dict[str, tuple[float, float, float]] = {}
    films = []
    for visit, (date, change) in enumerate(zip(dates, changes, strict=True)):
        findings = tuple(
            replace(f, place=places.get(mask_name(f, f.side or ""), f.place))
            for f in _merged(_sided(spec, spec.findings), change, spec)
        )
        film = make_phantom(replace(spec, findings=findings, date=date, visit=visit + 1))
        scale = body.scale
        for found in film.findings:
            centre = found["parameters"].get("centre_mm")
            if centre and found["code"] not in ("hernia", "fracture"):
                x, y, z = (c / s for c, s in zip(centre, scale, strict=True))
                places.setdefault(found["mask"], (x, y, z))
        films.append(film)
    return tuple(films)


def _key(finding: FindingSpec) -> Key:
    return finding.code, finding.side, finding.number or 1


def _sided(spec: PhantomSpec, findings: tuple[FindingSpec, ...]) -> list[FindingSpec]:
    """Findings with the side and number written in that the seed draws for them."""
    result = []
    for drawn in draws(findings, spawn(17, spec)):
        names = [name for name, _ in drawn.sides if name]
        side = "bilateral" if len(names) == 2 else names[0] if names else None
        result.append(replace(drawn.spec, side=side))
    return result


def _merged(findings: list[FindingSpec], changes: Sequence[FindingSpec | str], spec: PhantomSpec) -> list[FindingSpec]:
    """The findings after the changes, those that stay in their order."""
    held = {_key(f): f for f in findings}
    for change in changes:
        gone = isinstance(change, str) and change.startswith("-")
        finding = parse_finding(change.removeprefix("-")) if isinstance(change, str) else change
        finding = _sided(spec, (finding,))[0]
        if gone:
            held.pop(_key(finding), None)
        else:
            held[_key(finding)] = finding
    return list(held.values())
