"""Questions and facts → the answer's text. The direct answer first, then what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from agent.answer import Evidence
from agent.mentions import has_any, name_of
from agent.planner.choosing import compose_choice
from agent.planner.comparing import compose_comparison
from agent.planner.facts import Facts, cite
from agent.planner.focus import beside_originals, focus
from agent.planner.measuring import MEASURE, heart_record, of_a_number, runs_asked, seen_beside
from agent.planner.naming import acquired, vocabulary, words_of
from agent.planner.offers import Offers
from agent.planner.placing import compose_place, place_in
from agent.planner.plan import BY_WORDS, explained
from agent.planner.question import OUT_OF_SCOPE, Kind, Question
from agent.planner.scope import compose_out_of_scope, not_by_a_vision_model
from agent.planner.sentences import Teller
from agent.planner.wording import say
from models.outputs import ScoreKind
from tools.contract import Finding, Status
from tools.contract.wording import listed, sentence_case
from tools.knowledge import findings

UNLOOKED_NAMED = 12
"""Findings named when saying what nobody looked for; all would be a page."""


def compose(
    questions: list[Question], facts: Facts, films: list[dict[str, Any]], tools: Offers
) -> tuple[str, dict[str, Any]]:
    """The text, and what else the Answer tells: `not_assessed`, and `option_scores` of a multiple choice."""
    teller = Teller(facts, films, tools)
    paragraphs = []
    for question in questions:
        searched = [run for film in question.films for run in facts.of(BY_WORDS, film)]
        if question.kind is Kind.UNKNOWN_FINDING and searched:
            lines = _by_phrase(question, teller, searched)
        elif question.kind in OUT_OF_SCOPE | {Kind.NO_SUCH_FILM}:
            lines = compose_out_of_scope(question, teller)
        elif question.kind is Kind.TOOL and not tools[question.tool].reads_films:
            lines = _asked_tool(question, teller, None)
        elif not question.films and not acquired(films):
            lines = [say("scope.none_acquired" if films else "scope.no_film")]
        else:
            lines = _about_films(question, teller)
        lines = [*not_by_a_vision_model(question, teller), *lines]
        paragraphs.append("\n".join(line for line in lines if line))
    paragraphs.append("\n".join(focus(questions, films)))
    return "\n\n".join(dict.fromkeys(p for p in paragraphs if p)), {
        "not_assessed": teller.not_assessed,
        "option_scores": teller.option_scores,
    }


def _about_films(question: Question, teller: Teller) -> list[str]:
    """Why some of the films cannot be read, then what the others show."""
    if question.tool == "quality":
        return _compose(question, teller)
    lines = [line for film in question.films if (line := teller.unusable(film))]
    lines += beside_originals(question.films, teller.films)
    readable = tuple(film for film in question.films if not teller.facts.unusable(film))
    if lines and not readable:
        return lines
    rest = replace(question, films=readable)
    return [*lines, *(compose_choice(rest, teller) if rest.kind is Kind.CHOICE else _compose(rest, teller))]


def _compose(question: Question, teller: Teller) -> list[str]:
    if question.kind is Kind.COMPARE:
        return compose_comparison(question, teller)
    if question.kind is Kind.WHICH_FILM:
        return _which_film(question, teller)
    if question.kind is Kind.FILM_FACTS:
        return [*(teller.film_facts(film) for film in question.films), say("film.modality")]
    if question.kind is Kind.TOOL and "image_ids" in teller.tools[question.tool].arguments:
        return _asked_tool(question, teller, None)
    place = place_in(question)
    if place is not None:
        return _each_film(question, teller, lambda film: compose_place(place, teller, film))
    per_film = {
        Kind.OVERVIEW: _overview,
        Kind.NORMAL: _normal,
        Kind.HEART_SIZE: _heart_size,
        Kind.SEGMENT: _segment,
        Kind.REPORT: _report,
        Kind.CONFIDENCE: _confidence,
        Kind.WHY: _why,
        Kind.WHERE: _where,
        Kind.SIDE: _where,
        Kind.TOOL: _asked_tool,
    }.get(question.kind, _presence)
    return _each_film(question, teller, lambda film: per_film(question, teller, film))


def _each_film(question: Question, teller: Teller, tell: Callable[[str], list[str]]) -> list[str]:
    """What is told of each film, under its name where there are several."""
    lines: list[str] = []
    for film in question.films:
        told = tell(film)
        lines += [f"{teller.film_name(film)}:", *(f"- {line}" for line in told)] if len(question.films) > 1 else told
    return lines


def _presence(question: Question, teller: Teller, film: str) -> list[str]:
    lines = []
    plain = question.denied or len(question.findings) > 1 or len(question.films) > 1
    for code in question.findings:
        lines.append(teller.presence(code, film, question.side, plain=plain))
        lines += teller.scores(code, film)
        lines += _by_signs(code, teller, film)
        if question.degree:
            lines.append(say("scope.severity", name=name_of(code)))
            teller.miss(say("scope.severity", name=name_of(code)))
    return [*lines, *teller.moved(film), *teller.caveats(film, question.findings)]


def _by_signs(code: str, teller: Teller, film: str) -> list[str]:
    """What a search by words and signs says of a finding that no trained model assesses."""
    if teller.facts.assessed(code, film):
        return []
    runs = [run for run in teller.facts.of(BY_WORDS, film) if run.args.get("finding") == code and run.failure is None]
    told = [line for run in runs for line in teller.told(run)] or teller.signs(code, film)
    return [*teller.broader(code, film), *told]


def _by_phrase(question: Question, teller: Teller, searched: list[Evidence]) -> list[str]:
    """What a search by words says of something that the ontology has no word for."""
    lines = [line for run in searched for line in teller.told(run)]
    if all(run.failure for run in searched):
        lines.insert(0, say("scope.unknown_finding", topic=question.topic))
        teller.miss(lines[0])
    return lines


def _where(question: Question, teller: Teller, film: str) -> list[str]:
    codes = question.findings or tuple(row.code for row in teller.present(film))
    if not codes:
        seen = teller.facts.good("classify", film)
        return [say("where.nothing", cite=cite([seen.id]))] if seen else [teller.nothing(film)]
    return [
        line for code in dict.fromkeys(codes) for line in teller.place(code, film, side_only=question.kind is Kind.SIDE)
    ]


def _overview(question: Question, teller: Teller, film: str) -> list[str]:
    rows = teller.facts.rows(film)
    seen = teller.facts.judging(film)
    if not rows:
        return [teller.nothing(film)]
    words = words_of(question.text)
    absent = [code for code in teller.codes(film) if teller.facts.status(code, film) is Status.ABSENT]
    missing = [code for code in teller.codes(film) if teller.facts.status(code, film) is Status.NOT_ASSESSED]
    if has_any(words, vocabulary()["unlooked"]):
        return [*_not_assessed(teller, film, missing), _unlooked(teller, film)]
    present, uncertain = teller.present(film), teller.uncertain(film)
    lines = _waits(question, teller, film) + _called(teller, film, present, "overview.present", "overview.flagged")
    lines += [say("overview.uncertain", names=teller.named(uncertain, film))] if uncertain else []
    if not present and not uncertain:
        lines.append(say("overview.none", cite=cite(seen)))
    lines += [teller.presence(code, film, None, plain=True) for code in teller.disputed(film)]
    if has_any(words, vocabulary()["in_brief"]):
        return lines
    if absent:
        ids = cite(e for code in absent for f in teller.facts.about(code, film) for e in f.evidence)
        lines.append(say("overview.absent", names=listed(map(name_of, absent)), cite=ids))
    lines += _not_assessed(teller, film, missing)
    return [*lines, *teller.moved(film), *teller.failures(film), *teller.caveats(film, [row.code for row in present])]


def _not_assessed(teller: Teller, film: str, codes: list[str]) -> list[str]:
    """Findings that a tool says it does not assess."""
    ids = cite(e for code in codes for f in teller.facts.about(code, film) for e in f.evidence)
    return [say("overview.not_assessed", names=listed(map(name_of, codes)), cite=ids)] if codes else []


def _unlooked(teller: Teller, film: str) -> str:
    """How many findings of the ontology no tool looked for, with those among them that cannot wait."""
    codes = [code for code in findings() if not teller.facts.about(code, film)]
    names = listed(
        name_of(code) for code in sorted(codes, key=lambda code: not findings()[code].urgent)[:UNLOOKED_NAMED]
    )
    return say("unlooked.told", count=len(codes), names=names)


def _waits(question: Question, teller: Teller, film: str) -> list[str]:
    """Where it is asked what is urgent: that nothing assessed is. What is called so begins every answer anyway."""
    if not has_any(words_of(question.text), vocabulary()["urgent"]):
        return []
    urgent = [code for code, concept in findings().items() if concept.urgent]
    if any(teller.facts.status(code, film) in {Status.PRESENT, Status.UNCERTAIN} for code in urgent):
        return []
    missing = listed(name_of(code) for code in urgent if not teller.facts.assessed(code, film))
    told = say("waits.none", names=listed(map(name_of, urgent)))
    return [told, say("waits.missing", names=missing)] if missing else [told]


def _called(teller: Teller, film: str, rows: list[Finding], present: str, flagged: str) -> list[str]:
    """What is called present, and apart from it what only a probability under one half flags."""
    flags = [row for row in rows if teller.only_flagged(row.code, film)]
    firm = [row for row in rows if row not in flags]
    return [say(key, names=teller.named(group, film)) for key, group in ((present, firm), (flagged, flags)) if group]


def _normal(question: Question, teller: Teller, film: str) -> list[str]:
    present, uncertain = teller.present(film), teller.uncertain(film)
    seen = teller.facts.judging(film)
    if not seen:
        return [teller.nothing(film), *teller.failures(film)]
    missing = [code for code in teller.codes(film) if teller.facts.status(code, film) is Status.NOT_ASSESSED]
    lines = []
    lines += _called(teller, film, present, "overview.abnormal", "overview.suspect")
    if uncertain:
        verb = "is" if len(uncertain) == 1 else "are"
        key = "overview.uncertain" if present else "overview.perhaps"
        lines.append(say(key, names=teller.named(uncertain, film), verb=verb))
    if not present and not uncertain:
        assessed = [code for code in teller.codes(film) if code not in missing]
        told = say("overview.missing", names=listed(map(name_of, missing))) if missing else ""
        lines.append(say("overview.normal", cite=cite(seen), absent=listed(map(name_of, assessed)), missing=told))
    lines += [teller.presence(code, film, None, plain=True) for code in teller.disputed(film)]
    return [*lines, *teller.moved(film), *teller.failures(film), *teller.caveats(film, [row.code for row in present])]


def _heart_size(question: Question, teller: Teller, film: str) -> list[str]:
    measured = heart_record(teller.facts, film)
    lines = []
    if measured is not None and measured.failure is None:
        lines.append(teller.quoted(measured))
    elif measured is not None and measured.failure is not None:
        lines.append(say("heart.failed", reason=measured.failure.message, cite=cite([measured.id])))
        teller.miss(say("heart.failed", reason=measured.failure.message, cite="").strip())
    else:
        lines.append(say("heart.no_tool"))
        teller.miss(say("heart.no_tool"))
    if teller.facts.about("cardiomegaly", film):
        lines.append(teller.presence("cardiomegaly", film, None, plain=True))
        lines += teller.scores("cardiomegaly", film, measured=False)
    return [*lines, *teller.caveats(film, ["cardiomegaly"])]


def _segment(question: Question, teller: Teller, film: str) -> list[str]:
    return _by_tool(teller, "segment", film)


def _report(question: Question, teller: Teller, film: str) -> list[str]:
    draft = teller.facts.good("report", film)
    sections = draft.data.get("sections", []) if draft is not None else []
    if draft is None or not sections:
        return _by_tool(teller, "report", film)
    lines = [say("report.status")]
    for section in sections:
        lines += ["", f"{section.get('heading') or section['title']}:"]
        for sentence in section["sentences"]:
            ids = teller.facts.basis(sentence["basis"], sentence["finding"], film)
            drafted = [] if len(ids) == len(sentence["basis"]) else [draft.id]
            lines.append(f"- {str(sentence['text']).rstrip().rstrip('.')} {cite([*ids, *drafted])}.")
    return ["\n".join([*lines, *_written_beside(draft)])]


def _written_beside(draft: Evidence) -> list[str]:
    """A model's own draft, uncited, and what the classifier contradicts in it."""
    written = draft.data.get("written")
    if not written:
        return []
    against = [each for each in written["statements"] if each["verdict"] == "contradicts"]
    told = say("report.contradicted", names=listed(each["name"] for each in against), cite=cite([draft.id]))
    lead = say("report.written", title=written["title"], cite=cite([draft.id]))
    return ["", lead, *(f"> {line}" for line in written["text"].splitlines()), *([told] if against else [])]


def _by_tool(teller: Teller, tool: str, film: str) -> list[str]:
    """A tool's own summary, or why there is none."""
    good, failed = teller.facts.good(tool, film), teller.facts.failed(tool, film)
    if good is not None:
        return teller.told(good)
    if failed is not None and failed.failure is not None:
        return [say(f"{tool}.failed", reason=failed.failure.message, cite=cite([failed.id]))]
    teller.miss(say(f"{tool}.no_tool"))
    return [say(f"{tool}.no_tool")]


def _asked_tool(question: Question, teller: Teller, film: str | None) -> list[str]:
    """What every run of a tool that was asked for by its own words says, or that it could not be called."""
    runs = runs_asked(question, teller.facts.of(question.tool, film))
    lines = [line for run in runs for line in teller.told(run)]
    lines += _seen(question, teller, film) if question.tool == MEASURE and film else []
    if not runs:
        lines = [say("scope.needs_more", tool=question.tool.replace("_", " "), missing=_missing(question, teller))]
        teller.miss(lines[0])
    return lines


def _seen(question: Question, teller: Teller, film: str) -> list[str]:
    """What the classifier says of the findings that a measurement was asked with; nothing where it knows none."""
    seen = teller.facts.good("classify", film)
    assessed = {f.code for f in seen.findings if f.status is not Status.NOT_ASSESSED} if seen is not None else set()
    return [teller.presence(code, film, None, plain=True) for code in seen_beside(question) if code in assessed]


def _missing(question: Question, teller: Teller) -> str:
    """What a tool still needs: its required arguments, else what it looks for."""
    given = {"image_id", "image_ids", "question"} if question.films else {"question"}
    offer = teller.tools[question.tool]
    names = sorted(offer.required - given) or sorted({"finding", "phrase"} & offer.arguments)[:1]
    return listed(name.replace("_", " ") for name in names)


def _confidence(question: Question, teller: Teller, film: str) -> list[str]:
    if not question.findings:
        return _scores_of_all(teller, film)
    lines = [say("confidence.lead")]
    for code in question.findings:
        lines.append(teller.presence(code, film, None, plain=True))
        lines += [*teller.scores(code, film), *teller.figures(code, film)]
    return [*lines, *_by(teller, film), *teller.caveats(film, question.findings, most=4)]


def _by(teller: Teller, film: str) -> list[str]:
    """Which model the classifier's scores are of."""
    runs = [run for run in teller.facts.of("classify", film) if run.failure is None and run.card.get("title")]
    told = {(str(run.card["title"]), run.revision): run for run in runs}
    return [
        say("confidence.by", title=title, revision=revision, cite=cite([run.id]))
        for (title, revision), run in told.items()
    ]


def _scores_of_all(teller: Teller, film: str) -> list[str]:
    """The number of every finding that was assessed: the likeliest first where they are probabilities."""
    rows = [row for code in teller.codes(film) for row in teller.facts.about(code, film) if row.score is not None]
    calibrated = [row for row in rows if row.score_kind is ScoreKind.CALIBRATED_PROBABILITY]
    ranked = sorted(calibrated, key=lambda row: -(row.score or 0.0)) or rows
    codes = list(dict.fromkeys(row.code for row in ranked))
    if not codes:
        return [teller.nothing(film)]
    told = [line for code in codes for line in teller.scores(code, film, measured=False)[:1]]
    return [
        say("confidence.all" if calibrated else "confidence.lead"),
        *told,
        *_by(teller, film),
        *teller.caveats(film, codes, most=2),
    ]


def _why(question: Question, teller: Teller, film: str) -> list[str]:
    """How a number was measured; of a finding which part of the film the classifier went by, and how sure it is."""
    if of_a_number(question, teller.tools):
        return _steps(question, teller, film)
    reasons = [line for run in teller.facts.of("explain", film) for line in teller.told(run, caveats=1)]
    codes = question.findings or tuple(explained(question, teller.facts, film))
    return [*reasons, *(_confidence(replace(question, findings=codes), teller, film) if codes else [say("why.none")])]


def _steps(question: Question, teller: Teller, film: str) -> list[str]:
    """The chain behind each number asked about, from its region to its conclusion."""
    lines = []
    for run in runs_asked(replace(question, tool=MEASURE), teller.facts.of(MEASURE, film)):
        lines += teller.told(run)
        for made in run.data.get("measurements", []):
            steps = [
                say("steps.step", number=number, kind=step["kind"], text=step["text"].rstrip("."), cite=cite([run.id]))
                for number, step in enumerate(made["chain"], start=1)
            ]
            lines += [say("steps.lead"), *steps] if steps else []
    return lines


def _which_film(question: Question, teller: Teller) -> list[str]:
    lines = []
    codes: Iterable[str] = question.findings or dict.fromkeys(r.code for f in question.films for r in teller.present(f))
    for code in codes:
        having = [film for film in question.films if teller.facts.status(code, film) is Status.PRESENT]
        ids = cite(e for film in having or question.films for f in teller.facts.about(code, film) for e in f.evidence)
        name = sentence_case(name_of(code))
        if having:
            lines.append(
                say("compare.which", Name=name, films=listed(teller.film_name(f).lower() for f in having), cite=ids)
            )
        elif all(teller.facts.status(code, film) is Status.ABSENT for film in question.films):
            lines.append(say("compare.which_none", Name=name, cite=ids))
        for film in question.films:
            if teller.facts.status(code, film) in {Status.UNCERTAIN, Status.NOT_ASSESSED, None}:
                lines.append(f"{teller.film_name(film)}: {teller.presence(code, film, None, plain=True)}")
    return lines or [teller.nothing(question.films[0])]
