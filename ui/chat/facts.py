"""What is said about a film, and about the state of the system, in one line each. Pure: values in, HTML out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import escape

from agent.llm.named import parsed
from agent.settings import Settings
from imaging.radiograph import Derived, Radiograph, SpacingOrigin

VIEW_ORIGIN = {"header": "as the file says", "model": "as a model says", "user": "as you said"}

SPACING_MEANING = {
    SpacingOrigin.PIXEL_SPACING: "in the patient",
    SpacingOrigin.CALIBRATED: "in the patient, calibrated",
    SpacingOrigin.IMAGER: "in the detector plane: magnified",
    SpacingOrigin.NOMINAL: "nominal, of the scanned film",
    SpacingOrigin.USER: "as you said",
}

TOLD_TO_A_PLANNER = "your questions, the films' facts and the tools' results, never a picture"
"""What an LLM planner is sent (prompts/system.md and agent.films)."""
TO_PACS = "what you search or send in the PACS"
"""What leaves by the user's own press, where a PACS is set."""
FILMS_TOLD_TO_A_PLANNER = "your questions, the films' facts, the tools' results and small pictures of the films"
"""The same where the user lets films leave (Settings.send_films)."""


@dataclass(frozen=True)
class SystemState:
    """What the state line says beside the fixed words.

    Attributes:
        planner: name of the planner in force.
        device: where the models run.
        models: model id -> revision of the models that answered in this conversation.
        leaves: what leaves this machine, or empty for nothing.
        user: name of the login, or empty without one.
        pacs: whether a PACS can be searched and sent to.
        logs_out: whether the login is of this page, so that it can end here; a proxy's ends there.
    """

    planner: str
    device: str
    models: Mapping[str, str]
    leaves: str
    user: str = ""
    pacs: bool = False
    logs_out: bool = False


def film_facts(film: Radiograph) -> str:
    """View, size, spacing and what it means, file, date and patient's age and sex, as far as known."""
    rows, columns = film.shape
    parts = [
        *([derived_fact(film.derived)] if film.derived else []),
        _view(film),
        f"{columns} × {rows} px",
        _spacing(film),
        f"{film.source.format}, {film.source.bits_stored} bit",
    ]
    if film.acquired:
        parts.append(f"taken {film.acquired.isoformat()}")
    person = [f"{film.age_years:.0f} years" if film.age_years is not None else "", film.sex or ""]
    if any(person):
        parts.append(" ".join(filter(None, person)))
    items = "".join(f"<li>{escape(part)}</li>" for part in parts)
    warnings = "".join(f'<p class="warning"><span class="sign">▲</span> {escape(text)}</p>' for text in film.warnings)
    return f'<ul class="facts" aria-label="Facts about this film">{items}</ul>{warnings}'


def derived_fact(derived: Derived) -> str:
    """What a picture that nobody acquired is, e.g. 'PROCESSED: bone suppressed'."""
    return f"{derived.kind.upper()}: {derived.what}"


def _view(film: Radiograph) -> str:
    if film.view_origin == "none":
        return "view not stated"
    return f"{film.view.value} {VIEW_ORIGIN.get(film.view_origin, film.view_origin)}"


def _spacing(film: Radiograph) -> str:
    if film.spacing_mm is None:
        return "no pixel spacing: nothing in mm"
    row, column = film.spacing_mm
    size = f"{row:.3f} mm" if abs(row - column) < 0.0005 else f"{row:.3f} × {column:.3f} mm"
    meaning = SPACING_MEANING[film.spacing_origin] if film.spacing_origin else "of unstated origin"
    return f"{size} per pixel, {meaning}"


def brief_facts(film: Radiograph, place: str = "") -> str:
    """The few words beside a thumbnail, e.g. 'PA · 2021-05-03 · prior'."""
    parts = [derived_fact(film.derived)] if film.derived else []
    parts.append(film.view.value if film.view_origin != "none" else "view not stated")
    if film.acquired:
        parts.append(film.acquired.isoformat())
    return " · ".join([*parts, *([place] if place else [])])


def leaves_machine(settings: Settings) -> str:
    """What leaves this machine under these settings, and where it goes; empty when nothing does."""
    planners = parsed(settings.planner, settings.planner_base_url)
    hosts = list(dict.fromkeys(planner.host for planner in planners if planner.leaves_machine))
    if not hosts:
        return ""
    told = FILMS_TOLD_TO_A_PLANNER if settings.send_films else TOLD_TO_A_PLANNER
    return f"{told}, to {' or '.join(hosts)}"


def state_line(state: SystemState) -> str:
    """The line that is always there: planner, models, device, what leaves, and what this is not."""
    models = ", ".join(state.models) or "none yet"
    revisions = ", ".join(_model(model, revision) for model, revision in state.models.items())
    privacy = (
        f'<li class="leaves"><span class="sign">▲</span> Leaves this machine: {escape(state.leaves)}'
        f"{f'; {TO_PACS}' * state.pacs}</li>"
        if state.leaves
        else f'<li class="stays"><span class="sign">✓</span> Nothing leaves this machine'
        f"{f' but {TO_PACS}' * state.pacs}</li>"
    )
    leave = ' · <form method="post" action="logout"><button>Log out</button></form>' if state.logs_out else ""
    user = f"<li><i>Signed in as</i> {escape(state.user)}{leave}</li>" if state.user else ""
    return (
        f'<ul class="state" aria-label="State of the system">{user}'
        f"<li><i>Planner</i> {escape(state.planner)}</li><li><i>Device</i> {escape(state.device)}</li>"
        f'<li class="models" title="{escape(revisions)}"><i>Models that answered</i> {escape(models)}</li>{privacy}'
        '<li class="research"><strong>Research use, not a medical device</strong></li></ul>'
    )


def _model(model: str, revision: str) -> str:
    return f"{model} @ {revision}" if revision else model


def film_names(film_ids: Collection[str]) -> dict[str, str]:
    """Film ids to the names the screen uses: Film 1, Film 2 … in the order they were opened."""
    return {film_id: f"Film {number}" for number, film_id in enumerate(film_ids, start=1)}
