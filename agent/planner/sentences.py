"""Sentences on one finding and one film, each with the evidence it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent.answer import Evidence
from agent.films import derived_words
from agent.mentions import name_of
from agent.planner.facts import Facts, cite, cited_throughout
from agent.planner.offers import Offers
from agent.planner.wording import say
from imaging.failures import Unavailable
from models.outputs import ScoreKind
from tools.contract import Finding, Status
from tools.contract.wording import listed, sentence_case
from tools.knowledge import with_signs
from tools.knowledge.objects import objects

CAVEATS_MAX = 2
"""Caveats told unasked; all of them stand in the evidence."""


class Teller:
    """Writes about the facts of one turn, and keeps what had to be left unassessed and how options were weighed."""

    def __init__(self, facts: Facts, films: list[dict[str, Any]], tools: Offers) -> None:
        self.facts = facts
        self.films = films
        self.tools = tools
        self.not_assessed: list[str] = []
        self.option_scores: dict[str, float] = {}
        self._told_caveats: set[tuple[str, str]] = set()

    def miss(self, reason: str) -> None:
        """Note what was asked and not assessed."""
        if reason not in self.not_assessed:
            self.not_assessed.append(reason)

    def film_name(self, film: str) -> str:
        """ "Film 2", or "Film 3 (processed: bone suppressed, from film 2)"."""
        facts = next((facts for facts in self.films if facts["id"] == film), None)
        if facts is None:
            return film
        derived = f" ({derived_words(facts['derived'])})" if facts["derived"] else ""
        return f"Film {facts['number']}{derived}"

    def film_facts(self, film: str) -> str:
        """Size, view and spacing of one film, as the file gives them."""
        facts = next(item for item in self.films if item["id"] == film)
        spacing = say("film.spacing_unknown")
        if facts["spacing_mm"]:
            row, column = facts["spacing_mm"]
            spacing = say("film.spacing", row=row, column=column, origin=facts["spacing_origin"])
        known = facts["view_origin"] != "none"
        view = say("film.view", view=facts["view"], origin=facts["view_origin"]) if known else say("film.view_unknown")
        size = {key: facts[key] for key in ("rows", "columns")}
        told = say("film.facts", Film=self.film_name(film), view=view, spacing=spacing, **size)
        checked = self.facts.good("quality", film)
        looks = checked.data.get("quality", {}).get("view") if checked is not None else None
        return f"{told} {say('film.looks', view=looks, cite=cite([checked.id]))}" if checked and looks else told

    def codes(self, film: str) -> list[str]:
        """Every finding the evidence names on a film."""
        return list(dict.fromkeys(row.code for row in self.facts.rows(film)))

    def disputed(self, film: str) -> list[str]:
        """Findings on which tools disagree."""
        return [code for code in self.codes(film) if self.facts.disagree(code, film)]

    def present(self, film: str) -> list[Finding]:
        """One row per present finding, the surest first."""
        return self._rows(film, Status.PRESENT)

    def uncertain(self, film: str) -> list[Finding]:
        """One row per uncertain finding; those in dispute are told apart."""
        return [row for row in self._rows(film, Status.UNCERTAIN) if not self.facts.disagree(row.code, film)]

    def named(self, rows: Iterable[Finding], film: str) -> str:
        """ "pleural effusion on the left [E1, E2] and mass [E1]"."""
        parts = []
        for row in rows:
            side = self.facts.side(row.code, film)
            ids = self.facts.cite(row.code, film, row.status)
            parts.append(f"{name_of(row.code)}{_on(side)} {ids}")
        return listed(parts)

    def presence(self, code: str, film: str, side: str | None, *, plain: bool) -> str:
        """Whether a finding is there; `side` when one was asked about; `plain` without "Yes" and "No"."""
        name, status = name_of(code), self.facts.status(code, film)
        words = {"name": name, "Name": sentence_case(name)}
        if self.facts.disagree(code, film):
            return self._dispute(code, film)
        if status is Status.PRESENT:
            if side in ("left", "right"):
                return self._sided(code, film, side)
            told = _on(self.facts.side(code, film))
            ids = self.facts.cite(code, film, Status.PRESENT)
            doubts = {"flagged": self.only_flagged, "outlined": self._only_outlined}
            key = next((key for key, doubted in doubts.items() if doubted(code, film)), "present")
            return say(f"presence.{key}{'_plain' if plain else ''}", side=told, cite=ids, **words)
        if status is Status.ABSENT:
            ids = self.facts.cite(code, film, Status.ABSENT)
            if side in ("left", "right"):
                return say("presence.side_of_absent", asked=side, cite=ids, **words)
            return say(f"presence.absent{'_plain' if plain else ''}", cite=ids, **words)
        if status is Status.UNCERTAIN:
            about = self.facts.about(code, film)
            ids = self.facts.cite(code, film, Status.UNCERTAIN)
            key = "measured" if all(f.score_kind is ScoreKind.MEASUREMENT for f in about) else "uncertain"
            return say(f"presence.{key}", cite=ids, **words)
        return self._unassessed(code, film)

    def signs(self, code: str, film: str) -> list[str]:
        """What the evidence says of what a film may show of a finding that is itself not assessed."""
        if self.facts.assessed(code, film):
            return []
        told = [sign for sign in with_signs([code])[1:] if self.facts.assessed(sign, film)]
        lines = [self.presence(sign, film, None, plain=True) for sign in told]
        return [say("presence.signs", name=name_of(code)), *lines] if lines else []

    def only_flagged(self, code: str, film: str) -> bool:
        """Called present by nothing but probabilities under one half: more films flagged so lack it than have it.

        A model that was never tried on real films with the finding makes it no surer.
        """
        present = [item for item in self.facts.about(code, film) if item.status is Status.PRESENT]
        flags = [item for item in present if item.only_flagged]
        return bool(flags) and all(item in flags or self._untried(item) for item in present)

    def _only_outlined(self, code: str, film: str) -> bool:
        """Called present by nothing but models that were never tried on real films with it, and left open by others."""
        about = self.facts.about(code, film)
        present = [item for item in about if item.status is Status.PRESENT]
        return any(item.status is Status.UNCERTAIN for item in about) and all(map(self._untried, present))

    def _untried(self, item: Finding) -> bool:
        runs = [record for record in self.facts.records if record.id in item.evidence]
        return bool(runs) and all(run.data.get("tried_on_real_films") is False for run in runs)

    def scores(self, code: str, film: str, *, measured: bool = True) -> list[str]:
        """What each tool's number is, called by its right name."""
        lines = []
        for item in self.facts.about(code, film):
            if item.score is None or item.score_kind is None or item.threshold is None:
                continue
            if item.score_kind is ScoreKind.MEASUREMENT and not measured:
                continue
            values = {"score": f"{item.score:.2f}", "threshold": f"{item.threshold:.2f}"}
            told = say(f"score.{item.score_kind}", Name="{Name}", cite="{cite}", **values)
            lines.append((told, item.evidence))
            lines += [(worth, item.evidence) for worth in self._worth(item)]
        texts = dict.fromkeys(told for told, _ in lines)
        name = sentence_case(name_of(code))
        return [
            text.format(Name=name, cite=cite(e for told, ids in lines if told == text for e in ids)) for text in texts
        ]

    def _worth(self, item: Finding) -> list[str]:
        """What the classifier's threshold was worth where it was measured, once per finding."""
        for record in self.facts.records:
            if record.id not in item.evidence:
                continue
            row = next((row for row in record.data.get("rows", []) if row["code"] == item.code), None)
            if row and row.get("spread") is not None:
                return [say("score.spread", spread=f"{row['spread']:.2f}", cite="{cite}")]
            if row and row["sensitivity"] is not None and row["specificity"] is not None:
                found, cleared = (f"{row[key]:.0%}".replace("%", " %") for key in ("sensitivity", "specificity"))
                return [say("score.worth", found=found, cleared=cleared, cite="{cite}")]
        return []

    def moved(self, film: str) -> list[str]:
        """What the user's operating point changed, where one was asked for."""
        told = [r for r in self.facts.of("classify", film) if r.data.get("moved") or r.data.get("members")]
        lines = []
        for record in told:
            if record.data.get("members"):
                lines.append(say("score.members", members=listed(record.data["members"]), cite=cite([record.id])))
            lines += [f"{part.rstrip('.')} {cite([record.id])}." for part in _sentences(record.data.get("moved", ""))]
        return lines

    def figures(self, code: str, film: str) -> list[str]:
        """How good the model was at this finding where it was measured, from its card."""
        lines = []
        for record in self.facts.of("classify", film):
            figure = record.card.get("figures", {}).get(code)
            if figure and "not measured" not in figure:
                on = record.card.get("measured_on", "").partition(". ")[0].rstrip(".")
                lines.append(say("confidence.figure", name=name_of(code), figure=figure, on=on, cite=cite([record.id])))
        return lines

    def place(self, code: str, film: str, *, side_only: bool) -> list[str]:
        """Where a finding is, or why that is not known."""
        name, status = name_of(code), self.facts.status(code, film)
        if self.facts.disagree(code, film):
            return [self._dispute(code, film), self._perhaps(code, film), *self.scores(code, film)]
        if status is Status.ABSENT:
            return [say("where.absent", Name=sentence_case(name), cite=self.facts.cite(code, film, Status.ABSENT))]
        if status not in {Status.PRESENT, Status.UNCERTAIN}:
            return [self._unassessed(code, film), *self.broader(code, film)]
        located = self.facts.located(code, film)
        ids = cite(e for item in located for e in item.evidence)
        hedge = [self.presence(code, film, None, plain=True)] if status is Status.UNCERTAIN else []
        sides = {item.laterality for item in located if item.laterality}
        if side_only and sides and not hedge:
            side = next(iter(sides)) if len(sides) == 1 else "bilateral"
            key = "where.both_sides" if side == "bilateral" else "where.side"
            return [say(key, Name=sentence_case(name), side=side, cite=ids), *self._coarse(code, film)]
        if located and not (side_only and not sides):
            places = listed(dict.fromkeys(item.region or _on(item.laterality).strip() for item in located))
            key = "where.perhaps" if hedge else "where.located"
            return [*hedge, say(key, Name=sentence_case(name), place=places, cite=ids), *self._coarse(code, film)]
        reason, id_of = self._why_not_located(code, film)
        self.miss(say("where.not_located", name=name, reason=reason, cite="").strip())
        lead = self.presence(code, film, None, plain=True)
        return [lead, say("where.not_located", name=name, reason=reason, cite=id_of).strip()]

    def broader(self, code: str, film: str) -> list[str]:
        """The place of what a finding that nobody assessed would be a kind of."""
        if self.facts.assessed(code, film):
            return []
        runs = [r for r in self.facts.of("ground", film) if r.args.get("finding") == code and r.data.get("outlined_as")]
        shown = [(row, run.id) for run in runs for row in run.findings if row.code == run.data["outlined_as"]]
        return [
            say(
                "where.broader",
                Name=sentence_case(name_of(row.code)),
                place=row.region,
                name=name_of(code),
                cite=cite([number]),
            )
            for row, number in shown
        ]

    def _coarse(self, code: str, film: str) -> list[str]:
        """That a place is a coarse one, where it is."""
        told = [r.id for r in self.facts.of("ground", film) if r.args.get("finding") == code and r.data.get("coarse")]
        return [say("where.coarse", cite=cite(told))] if told else []

    def _perhaps(self, code: str, film: str) -> str:
        """The place told by the tools that see a disputed finding; empty if none of them told one."""
        located = self.facts.located(code, film)
        places = listed(dict.fromkeys(item.region or _on(item.laterality).strip() for item in located))
        ids = cite(e for item in located for e in item.evidence)
        return say("where.perhaps", place=places, cite=ids) if located else ""

    def caveats(self, film: str, codes: Iterable[str], most: int = CAVEATS_MAX) -> list[str]:
        """Caveats of the records the answer rests on, not repeating one."""
        wanted = set(codes)
        lines: dict[str, str] = {}
        for record in self.facts.records:
            if film in record.image_ids and any(f.code in wanted for f in record.findings):
                for caveat in record.caveats:
                    lines.setdefault(
                        caveat, say("confidence.caveat", caveat=caveat.rstrip("."), cite=cite([record.id]))
                    )
        fresh = {caveat: line for caveat, line in lines.items() if (film, caveat) not in self._told_caveats}
        told = dict(list(fresh.items())[:most])
        self._told_caveats.update((film, caveat) for caveat in told)
        return list(told.values())

    def failures(self, film: str) -> list[str]:
        """What failed on a film, with the reason."""
        return [
            say("scope.failed", title=record.title, reason=record.failure.message, cite=cite([record.id]))
            for record in self.facts.records
            if record.failure is not None and film in record.image_ids
        ]

    def nothing(self, film: str) -> str:
        """Nothing ran, or all of it failed."""
        self.miss(say("overview.nothing_ran"))
        return "\n".join([say("overview.nothing_ran"), *self.failures(film)])

    def unusable(self, film: str) -> str:
        """Why no tool should read a film, noted as not assessed; empty if it can be read."""
        check = self.facts.unusable(film)
        if check is None:
            return ""
        reason = str(check.data["unusable"])
        self.miss(reason)
        told = say("scope.unusable", reason=reason.rstrip("."), cite=cite([check.id]))
        return " ".join(part for part in (told, str(check.data.get("remedy", ""))) if part)

    def told(self, record: Evidence, caveats: int = CAVEATS_MAX) -> list[str]:
        """One run of a tool in its own words with its first caveats, or why it failed.

        A text that it made (`data["document"]`) stands whole and uncited after the first paragraph of its summary.
        """
        if record.failure is not None:
            failed = say("scope.failed", title=record.title, reason=record.failure.message, cite=cite([record.id]))
            return [f"{failed} {record.failure.hint}".strip() if record.failure.kind == Unavailable.kind else failed]
        first = [c for c in record.caveats if c not in record.summary and not self._told(c, record)][:caveats]
        self._told_caveats.update((film, caveat) for film in record.image_ids for caveat in first)
        document = str(record.data.get("document") or "")
        lead = record.model_copy(update={"summary": record.summary.partition("\n\n")[0]}) if document else record
        return [
            self.quoted(lead),
            *([f"\n{document}\n"] if document else []),
            *(say("confidence.caveat", caveat=c.rstrip("."), cite=cite([record.id])) for c in first),
        ]

    def _told(self, caveat: str, record: Evidence) -> bool:
        """Whether a caveat was told of every film of a record."""
        return bool(record.image_ids) and all((film, caveat) in self._told_caveats for film in record.image_ids)

    def quoted(self, record: Evidence) -> str:
        """A tool's own summary, cited sentence by sentence."""
        return cited_throughout(record)

    def _rows(self, film: str, status: Status) -> list[Finding]:
        """Findings of one status, the surest first; devices as such are not named beside one of them."""
        rows = sorted(self.facts.rows(film), key=lambda row: -((row.score or 0.0) - (row.threshold or 0.0)))
        codes = dict.fromkeys(row.code for row in rows if self.facts.status(row.code, film) is status)
        kinds = {objects()[code].kind for code in codes if code in objects()}
        return [
            next(r for r in rows if r.code == c and (r.status is status or self.facts.disagree(c, film)))
            for c in codes
            if c not in kinds
        ]

    def _sided(self, code: str, film: str, asked: str) -> str:
        name, found = name_of(code), self.facts.side(code, film)
        ids = self.facts.cite(code, film, Status.PRESENT)
        if found == asked or found == "bilateral":
            told = _on(found)
            return say("presence.present", name=name, side=told, cite=ids)
        if found is not None:
            return say("presence.other_side", name=name, found=found, cite=ids)
        reason, cited = self._why_not_located(code, film)
        self.miss(say("presence.side_missed", name=name, reason=reason).strip())
        return say("presence.side_open", Name=sentence_case(name), cite=ids, reason=reason, cite_side=cited).strip()

    def _why_not_located(self, code: str, film: str) -> tuple[str, str]:
        for record in reversed(self.facts.of("ground", film)):
            if record.args.get("finding") != code:
                continue
            reason = record.failure.message if record.failure else str(record.data.get("reason") or record.summary)
            return sentence_case(reason.rstrip(".")), f"{cite([record.id])}."
        return say("where.untold"), ""

    def _dispute(self, code: str, film: str) -> str:
        sides = []
        for record in self.facts.records:
            for item in record.findings:
                if (item.code, item.image_id) == (code, film) and item.status is not Status.NOT_ASSESSED:
                    score = f" ({item.score:.2f})" if item.score is not None else ""
                    status = say(f"status.{item.status}")
                    sides.append(
                        say(
                            "presence.conflict_side",
                            status=status,
                            title=record.title,
                            score=score,
                            cite=cite([record.id]),
                        )
                    )
        return say("presence.conflict", name=name_of(code), sides="; ".join(sides))

    def _unassessed(self, code: str, film: str) -> str:
        name = name_of(code)
        for item in self.facts.about(code, film):
            self.miss(f"{name}: {item.reason}")
            return say("presence.not_assessed", name=name, reason=item.reason.rstrip("."), cite=cite(item.evidence))
        failed = next((r for r in self.facts.records if r.failure and film in r.image_ids), None)
        if failed is not None and failed.failure is not None:
            self.miss(f"{name}: {failed.failure.message}")
            return say(
                "presence.not_assessed", name=name, reason=failed.failure.message.rstrip("."), cite=cite([failed.id])
            )
        self.miss(say("presence.no_tool", name=name))
        return say("presence.no_tool", name=name)


def _sentences(text: str) -> list[str]:
    return [part for part in text.replace(". ", ".\n").splitlines() if part]


def _on(side: str | None) -> str:
    if side is None:
        return ""
    return " on both sides" if side == "bilateral" else f" on the {side}"
