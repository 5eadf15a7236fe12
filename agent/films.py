"""The session's films in words: ids and facts for a planner, never a path, a date or a patient; more for the user."""

from __future__ import annotations

from typing import Any

from imaging.radiograph import DerivedKind, Radiograph
from imaging.studies import StudyInput
from tools.contract.films import told_age

FILMS_KEY = "hilum_films"
"""Key of a question's additional_kwargs under which the embedded planner finds {"films": [...], "added": [ids]}."""


def listed(films: list[Radiograph], studies: StudyInput) -> list[dict[str, Any]]:
    """One JSON-ready dict of facts per film, in the order of `films`.

    `day` counts from the earliest film, `patient` numbers the patients as they were met (None: not known), `role` is
    "current", "prior", "older" or None: not known. `derived` is None for a film as acquired, else its `kind`, `what`
    was done, and the number `of` and id (`parent`) of the film it was computed from, as far as known.

    Args:
        films: all films of a session.
        studies: the same films as studies.
    """
    dated = [film.acquired for film in films if film.acquired is not None]
    first = min(dated) if dated else None
    roles = studies.roles()
    patients = {key: place for place, key in enumerate((key for key in studies.patients() if key), start=1)}
    return [
        {
            "number": number,
            "id": film.id,
            "rows": film.shape[0],
            "columns": film.shape[1],
            "view": film.view.value,
            "view_origin": film.view_origin,
            "spacing_mm": list(film.spacing_mm) if film.spacing_mm else None,
            "spacing_origin": film.spacing_origin.value if film.spacing_origin else None,
            "day": (film.acquired - first).days if film.acquired is not None and first is not None else None,
            "role": roles[film.id].value if film.id in roles else None,
            "patient": patients.get(film.patient_key or ""),
            "age_years": told_age(film.age_years),
            "sex": film.sex,
            "warnings": list(film.warnings),
            "derived": _told_derived(film, films),
        }
        for number, film in enumerate(films, start=1)
    ]


def told_films(films: list[Radiograph], studies: StudyInput) -> str:
    """The list of films in the system prompt, one Markdown line each; arguments as for `listed`."""
    lines = []
    for facts in listed(films, studies):
        spacing = f"{facts['spacing_mm']} mm ({facts['spacing_origin']})" if facts["spacing_mm"] else "unknown"
        several = len(films) > 1
        parts = [
            f"view {facts['view']} (from {facts['view_origin']})",
            f"{facts['rows']} x {facts['columns']} pixels",
            f"pixel spacing {spacing}",
        ]
        parts += [f"patient {facts['patient'] or 'unknown'}"] if several else []
        parts += [f"day {facts['day']}"] if several and facts["day"] is not None else []
        unknown = "neither current nor prior: date or patient unknown"
        parts += [facts["role"] or unknown] if several and not facts["derived"] else []
        parts += [f"age {facts['age_years']}"] if facts["age_years"] is not None else []
        parts += [f"sex {facts['sex']}"] if facts["sex"] else []
        parts += [f"NOT ACQUIRED: {derived_words(facts['derived'])}"] if facts["derived"] else []
        parts += [f"warning: {warning}" for warning in facts["warnings"]]
        lines.append(f"- film {facts['number']}: image_id `{facts['id']}`; {'; '.join(parts)}")
    return "\n".join(lines) or "(none yet)"


def places(studies: StudyInput) -> dict[str, str]:
    """Film id to its place among the others for the user, e.g. "prior" or, of several patients, "patient 2, current".

    Empty where there is nothing to tell apart.
    """
    roles, patients = studies.roles(), studies.patients()
    known = [key for key in patients if key is not None]
    told = {}
    for each in studies.films:
        key = each.film.patient_key
        patient = f"patient {known.index(key) + 1}" if key is not None else "patient not known"
        role = roles.get(each.film.id)
        told[each.film.id] = ", ".join([*([patient] if len(patients) > 1 else []), *([role] if role else [])])
    return told if len(told) > 1 else dict.fromkeys(told, "")


def brief(film: Radiograph, place: str) -> str:
    """The few words by which the user knows a film, e.g. "PA, 2021-05-03, prior"; `place` as of `places`.

    A picture that nobody acquired is called what it is: "processed, PA, no date".
    """
    view = film.view.value if film.view_origin != "none" else "view not stated"
    date = film.acquired.isoformat() if film.acquired else "no date"
    return ", ".join([*([film.derived.kind] if film.derived else []), view, date, *([place] if place else [])])


def input_notes(found: StudyInput) -> list[str]:
    """What became of the files that are no film of their own, and what to know of the others, in sentences.

    Names files as the user gave them: for the user alone.
    """
    doubles = [f"{each.source} was not used: it holds the same picture as {each.same_as}." for each in found.duplicates]
    refused = [f"{each.source} was not opened. {each.reason.message} {each.reason.hint}" for each in found.refused]
    alike = [
        f"{first.source} and {second.source} look like one picture stored twice, not like two films."
        for first, second in found.alike()
    ]
    return [*(note.strip() for note in refused), *doubles, *alike, *found.warnings()]


def derived_words(derived: dict[str, Any]) -> str:
    """ "processed: bone suppressed, from film 1"; of a synthetic film "synthetic, shows no patient"."""
    if derived["kind"] == DerivedKind.SYNTHETIC:
        return "synthetic, shows no patient"
    return f"processed: {derived['what']}" + (f", from film {derived['of']}" if derived["of"] else "")


def _told_derived(film: Radiograph, films: list[Radiograph]) -> dict[str, Any] | None:
    if film.derived is None:
        return None
    ids = [each.id for each in films]
    of = ids.index(film.derived.parent) + 1 if film.derived.parent in ids else None
    return {"kind": film.derived.kind.value, "what": film.derived.what, "of": of, "parent": film.derived.parent}
