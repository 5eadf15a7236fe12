"""What is said in which section of a report, and what is left out of one that would grow too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imaging.radiograph import View
from tools.comparison.verdicts import CHANGED, FindingChange, Verdict
from tools.contract import Finding, Status
from tools.contract.wording import sentence_case
from tools.knowledge import Region, findings, region_of
from tools.knowledge.objects import objects
from tools.measurements import Measurement
from tools.reporting.evidence import Evidence
from tools.reporting.sentences import Basis, Section, Sentence, SentencePlace, Title
from tools.reporting.wording import Wording

QUOTED_MAX = 300
"""Characters of the user's words that are quoted; a draft is bounded in length."""

GROUPS: dict[str, tuple[Region, ...]] = {
    "lungs": (Region.LUNG,),
    "pleura": (Region.PLEURA, Region.PLEURA_BASE),
    "heart": (Region.HEART, Region.MEDIASTINUM),
    "rest": (Region.WHOLE,),
}
"""The order in which a chest film is reported."""

HEART = "cardiomegaly"

IMPLIED: dict[str, tuple[str, ...]] = {
    "pneumonia": ("consolidation", "infiltration"),
    "consolidation": ("infiltration",),
}
"""What may not be denied beside a finding that is there or possible: pneumonia shows as consolidation, and both are
what reports call an infiltrate (Hansell et al., Fleischner Society glossary, Radiology 2008;246:697)."""

FIRST = ("pneumothorax",)
"""Told before other findings of the same weight: it may need a drain at once."""

ON_THIS_FILM = " on this film. "
"""After it `measure` says why something cannot be measured."""

DROPPED_FIRST = (
    "skipped", "devices_absent", "lateral_unread", "no_ratio", "unchanged", "absent", "prior_report", "not_compared",
    "given", "indication",
)  # fmt: skip
"""Keys of sentences that a draft which is too long goes without, in this order; what was found stays."""


@dataclass
class Draft:
    """The sections, and how many sentences were left out for the sake of length."""

    sections: list[Section]
    wording: Wording
    left_out: int = 0

    @property
    def text(self) -> str:
        """The draft as one string."""
        return "\n\n".join(f"{section.heading}\n{self._body(section)}" for section in self.sections)

    def _body(self, section: Section) -> str:
        if self.wording.style == "prose":
            return " ".join(sentence.text for sentence in section.sentences)
        if section.title == "Findings":
            return "\n".join(
                f"{self.wording.word('groups', group)}{self.wording.word('common', 'colon')}"
                + " ".join(each.text for each in section.sentences if each.group == group)
                for group in GROUPS
                if any(each.group == group for each in section.sentences)
            )
        if section.title == "Impression":
            return "\n".join(f"{number}. {each.text}" for number, each in enumerate(section.sentences, start=1))
        return "\n".join(sentence.text for sentence in section.sentences)


def drafted(evidence: Evidence, wording: Wording, longest: int) -> Draft:
    """The whole draft, no longer than `longest` characters as far as leaving out all but what was found allows."""
    writer = _Writer(evidence, wording)
    told: dict[Title, list[Sentence]] = {
        "Indication": writer.indication(),
        "Technique": writer.technique(),
        "Comparison": writer.comparison(),
        "Findings": writer.findings(),
        "Impression": writer.impression(),
        "Not assessed": writer.not_assessed(),
    }
    draft = Draft(_sections(told, wording), wording)
    for key in DROPPED_FIRST:
        if len(draft.text) <= longest:
            break
        dropped = sum(each.key == key for sentences in told.values() for each in sentences)
        told = {title: [each for each in sentences if each.key != key] for title, sentences in told.items()}
        draft = Draft(_sections(told, wording), wording, draft.left_out + dropped)
    if draft.left_out:
        note = wording.say("left_out", count=draft.left_out, most=longest)
        told["Not assessed"].append(Sentence(text=note, basis=["user"], key="left_out"))
        draft = Draft(_sections(told, wording), wording, draft.left_out)
    return draft


def _sections(told: dict[Title, list[Sentence]], wording: Wording) -> list[Section]:
    return [
        Section(title=title, heading=wording.word("headings", title), sentences=sentences)
        for title, sentences in told.items()
        if sentences
    ]


class _Writer:
    """Turns evidence into sentences, section by section."""

    def __init__(self, evidence: Evidence, wording: Wording) -> None:
        self._evidence, self._wording = evidence, wording

    def indication(self) -> list[Sentence]:
        """The user's reason for the film, word for word."""
        text = _quoted(self._evidence.given.indication)
        return [Sentence(text=text, basis=["user"], key="indication")] if text else []

    def technique(self) -> list[Sentence]:
        """The view, a lateral film, and what the user said of it."""
        view, given = self._evidence.film.view, _quoted(self._evidence.given.technique)
        sentences = [self._say("view_unknown" if view is View.UNKNOWN else "view", ["film"], view=view.value)]
        sentences += [self._say("lateral", ["film"])] if self._evidence.lateral is not None else []
        return [*sentences, *([self._say("given", ["user"], text=given)] if given else [])]

    def comparison(self) -> list[Sentence]:
        """Which earlier film and report were used, or that there is none."""
        evidence, wording = self._evidence, self._wording
        sentences = []
        pair = evidence.interval
        if pair is not None:
            date = f" ({pair.prior_date})" if pair.prior_date else ""
            film = wording.film(pair.prior_name)
            film = film if wording.style == "prose" else sentence_case(film)
            sentences.append(self._say("prior", ["film"], film=film, date=date, days=wording.days(pair.days)))
        elif evidence.compared is not None and evidence.compared.failure is not None:
            reason = evidence.compared.failure.message
            film = wording.film(evidence.prior_name)
            sentences.append(self._say("not_compared", ["compare"], film=film, reason=reason))
        else:
            sentences.append(self._say("no_prior", ["film"]))
        if evidence.given.prior_report.strip():
            key = "prior_report" if evidence.earlier else "prior_report_none"
            told = self._say(key, ["user"], names=wording.names(evidence.earlier))
            sentences.append(told.model_copy(update={"key": "prior_report"}))
        return sentences

    def findings(self) -> list[Sentence]:
        """Every assessed finding region by region: present, uncertain, then those not identified; then what changed."""
        sentences: list[Sentence] = []
        for group, regions in GROUPS.items():
            here = [self._present(item) for item in self._open(Status.PRESENT, regions)]
            here += [self._of(item, "uncertain", ["classify"]) for item in self._open(Status.UNCERTAIN, regions)]
            here += self._absent(regions)
            here += self._heart() if group == "heart" else []
            here += [self._changed(row) for row in self._changes() if region_of(row.finding) in regions]
            here += self._devices() if group == "rest" else []
            sentences += [each.model_copy(update={"group": group}) for each in here]
        if steady := self._steady():
            names = self._wording.names(row.finding for row in steady)
            sentences.append(self._say("unchanged", ["compare"], names=names, film=self._prior()))
            sentences[-1].group = "rest"
        return sentences

    def impression(self) -> list[Sentence]:
        """What matters, first things first; never "normal"."""
        groups = self._together(sorted(self._open(Status.PRESENT), key=_matters))
        likely = [items for items in groups if not items[0].only_flagged]
        possible = [items for items in groups if items[0].only_flagged]
        urgent = [*self._left_behind(), *self._wrong_tip()]
        sentences = [*urgent, *map(self._told, likely), *self._large_heart(), *map(self._told, possible)]
        if uncertain := self._open(Status.UNCERTAIN):
            sentences.append(self._several("told_uncertain", uncertain, Status.UNCERTAIN))
        if not sentences:
            sentences.append(self._nothing())
        return [*sentences, *(self._changed(row) for row in self._changes())]

    def _large_heart(self) -> list[Sentence]:
        """A heart that its measured ratio calls enlarged."""
        ratio, against = self._evidence.ratio, HEART in {f.code for f in self._evidence.with_status(Status.ABSENT)}
        if ratio is None or ratio.status is not Status.PRESENT:
            return []
        key, basis = ("told_ratio_alone", _by("measure", "classify")) if against else ("told_ratio", _by("measure"))
        told = self._say(key, basis, ratio=self._wording.number(ratio.index or 0.0))
        return [told.model_copy(update={"finding": HEART, "status": Status.PRESENT})]

    def not_assessed(self) -> list[Sentence]:
        """What nobody looked for, could not be measured, or could not be used."""
        evidence = self._evidence
        sentences = []
        if skipped := evidence.with_status(Status.NOT_ASSESSED):
            sentences.append(self._several("skipped", skipped, Status.NOT_ASSESSED))
        if evidence.measured.failure is not None:
            message = evidence.measured.failure.message
            told = self._say("no_ratio", ["measure"], reason=message.partition(ON_THIS_FILM)[2] or message)
            sentences.append(told.model_copy(update={"finding": HEART, "status": Status.NOT_ASSESSED}))
        if evidence.lateral is not None:
            sentences.append(self._say("lateral_unread", ["film"]))
        general = self._say("general", ["film"])
        return [*sentences, general.model_copy(update={"status": Status.NOT_ASSESSED})]

    def _open(self, status: Status, regions: tuple[Region, ...] | None = None) -> list[Finding]:
        """The classifier's findings of a status, without a heart whose measured ratio settles it.

        A ratio settles what the classifier leaves uncertain, and says better what it finds, too; where it denies what
        the classifier finds, both are told.
        """
        ratio, items = self._evidence.ratio, self._evidence.with_status(status, regions)
        decided = {Status.PRESENT: {Status.PRESENT}, Status.UNCERTAIN: {Status.PRESENT, Status.ABSENT}}[status]
        if ratio is None or ratio.status not in decided:
            return items
        return [item for item in items if item.code != HEART]

    def _absent(self, regions: tuple[Region, ...]) -> list[Sentence]:
        """What the classifier does not see; what another finding implies, or a heart nobody measured, is not denied."""
        open_now = [*self._evidence.with_status(Status.PRESENT), *self._evidence.with_status(Status.UNCERTAIN)]
        implied = {code for item in open_now for code in IMPLIED.get(item.code, ())}
        absent = self._evidence.with_status(Status.ABSENT, regions)
        hidden = self._evidence.measured.failure is not None
        apart = [item for item in absent if item.code in implied]
        heart = [item for item in absent if item.code == HEART and hidden]
        kinds = {
            "absent": [item for item in absent if item not in (*apart, *heart)],
            "apart": apart,
            "unmeasured": heart,
        }
        return [self._several(key, items, Status.ABSENT) for key, items in kinds.items() if items]

    def _together(self, present: Sequence[Finding]) -> list[list[Finding]]:
        """Findings in the order given; those only flagged at one place, or without any, with the first of them."""
        groups: dict[object, list[Finding]] = {}
        for item in present:
            alone = not item.only_flagged or item.code in (HEART, *FIRST) or item.code not in findings()
            where = tuple(place.place for place in self._places(item.code))
            groups.setdefault(item.code if alone else where, []).append(item)
        return list(groups.values())

    def _present(self, item: Finding) -> Sentence:
        key = "flagged" if item.only_flagged else "present"
        sentence = self._of(item, key, ["classify"], with_place=item.code != HEART)
        places = self._places(item.code)
        if places or self._evidence.looked_for(item.code):
            sentence.basis.append("ground")
        return sentence.model_copy(update={"places": places})

    def _told(self, items: list[Finding]) -> Sentence:
        """One present finding in the impression, or several that are possible at one place."""
        item, ratio = items[0], self._evidence.ratio
        if len(items) > 1:
            places = self._places(item.code)
            at = self._wording.at(place.place for place in places)
            told = self._several("told_flagged_several", items, Status.PRESENT, place=at)
            told.places, told.basis = places, [*told.basis, *(_by("ground") if places else [])]
            return told
        against = item.code == HEART and ratio is not None and ratio.status is Status.ABSENT
        key = "told_unconfirmed" if against else "told_flagged" if item.only_flagged else "told_present"
        basis = _by("classify", "measure") if against else _by("classify")
        sentence = self._of(item, key, basis, with_place=item.code != HEART)
        sentence.places = self._places(item.code)
        sentence.basis += _by("ground") if sentence.places and item.code != HEART else []
        sentence.status = Status.UNCERTAIN if against else item.status
        return sentence

    def _places(self, code: str) -> list[SentencePlace]:
        return [SentencePlace(box=box.box, place=self._wording.place(box)) for box in self._evidence.places(code)]

    def _heart(self) -> list[Sentence]:
        """The measured ratio, and whether it agrees with the classifier."""
        data, film = self._evidence.ratio, self._evidence.film
        if data is None or data.index is None:
            return []
        view = self._wording.word("common", "no_view") if film.view is View.UNKNOWN else film.view.value
        told = self._say(f"ratio_{data.status.value}", ["measure"], ratio=self._wording.number(data.index), view=view)
        sentences = [told.model_copy(update={"finding": HEART, "status": data.status})]
        seen = next((item.status for item in self._evidence.classified.findings if item.code == HEART), None)
        if {seen, data.status} == {Status.PRESENT, Status.ABSENT}:
            both = self._say("disagree", ["classify", "measure"])
            sentences.append(both.model_copy(update={"finding": HEART, "status": Status.UNCERTAIN}))
        return sentences

    def _devices(self) -> list[Sentence]:
        """Tubes, lines and objects: those seen, a tube's tip, those uncertain, those not seen."""
        seen, told = self._evidence.objects, []
        if seen is None:
            return []
        for status in (Status.PRESENT, Status.UNCERTAIN, Status.ABSENT):
            codes = [item.code for item in seen.objects if item.status is status]
            if codes:
                names = {"names": self._wording.names(codes), "names_or": self._wording.names(codes, "or")}
                line = self._say(f"devices_{status.value}", ["detect_objects"], **names)
                told.append(
                    line.model_copy(update={"status": status, "finding": codes[0] if len(codes) == 1 else None})
                )
            if status is Status.PRESENT and seen.tip is not None and seen.tip.measured:
                told.append(self._tip("tip", seen.tip))
        return told

    def _left_behind(self) -> list[Sentence]:
        """Objects that may have been left in the patient."""
        seen = self._evidence.objects
        left = [
            item for item in (seen.objects if seen else ())
            if objects()[item.code].shape == "object" and item.status in (Status.PRESENT, Status.UNCERTAIN)
        ]  # fmt: skip
        told = []
        for item in left:
            place = self._wording.at(item.places) if self._wording.language == "en" else ""
            line = self._say("left_behind", ["detect_objects"], **self._wording.named(item.code), place=place)
            places = [SentencePlace(box=box, place=place) for box, place in zip(item.boxes, item.places, strict=True)]
            told.append(line.model_copy(update={"finding": item.code, "status": item.status, "places": places}))
        return told

    def _wrong_tip(self) -> list[Sentence]:
        """A tube's tip that lies outside its usual place."""
        tip = self._evidence.objects.tip if self._evidence.objects else None
        wrong = tip is not None and tip.measured and tip.status is Status.PRESENT
        return [self._tip("tip_wrong", tip)] if wrong and tip is not None else []

    def _tip(self, key: str, tip: Measurement) -> Sentence:
        above = tip.index or 0.0
        where = f"{abs(above):.0f} {tip.unit} {self._wording.word('common', 'below' if above < 0 else 'above')}"
        told = self._say(key, ["detect_objects"], **self._wording.named("ett"), where=where)
        return told.model_copy(update={"finding": "ett", "status": Status.PRESENT})

    def _nothing(self) -> Sentence:
        count = len(self._evidence.with_status(Status.ABSENT))
        if not count:
            told = self._say("nothing_assessed", ["classify"])
            return told.model_copy(update={"status": Status.NOT_ASSESSED})
        basis = _by("classify", "measure") if self._evidence.ratio else _by("classify")
        return self._say("nothing", basis, count=count).model_copy(update={"status": Status.ABSENT})

    def _changes(self) -> list[FindingChange]:
        pair = self._evidence.interval
        return [row for row in pair.changes if row.verdict in CHANGED] if pair is not None else []

    def _steady(self) -> list[FindingChange]:
        """What is on a film and did not change."""
        pair = self._evidence.interval
        return [row for row in pair.changes if row.verdict is Verdict.UNCHANGED] if pair is not None else []

    def _changed(self, row: FindingChange) -> Sentence:
        wording = self._wording
        place = (row.region or row.side or "") if wording.language == "en" else wording.side(row.side)
        place = "" if row.finding == HEART else place
        verdict = wording.word("verdicts", row.verdict.value)
        values = {"verdict": verdict, "film": self._prior(), "place": wording.at([place])}
        told = self._say("changed", ["compare"], **wording.named(row.finding), **values)
        return told.model_copy(update={"finding": row.finding, "status": row.current_status, "change": row.verdict})

    def _prior(self) -> str:
        return self._wording.film(self._evidence.prior_name)

    def _of(self, item: Finding, key: str, basis: list[Basis], *, with_place: bool = True) -> Sentence:
        """A sentence on one finding of the classifier's."""
        places = [place.place for place in self._places(item.code)] if with_place else []
        told = self._say(key, basis, **self._wording.named(item.code), place=self._wording.at(places))
        return told.model_copy(
            update={"finding": item.code, "status": item.status, "score": item.score, "threshold": item.threshold}
        )

    def _several(self, key: str, items: Sequence[Finding], status: Status, **values: object) -> Sentence:
        """A sentence on all findings of one status."""
        codes = [item.code for item in items]
        names = {"names": self._wording.names(codes), "names_or": self._wording.names(codes, "or")}
        told = self._say(key, ["classify"], **names, **values)
        return told.model_copy(update={"finding": codes[0] if len(codes) == 1 else None, "status": status})

    def _say(self, key: str, basis: list[Basis], **values: object) -> Sentence:
        return Sentence(text=self._wording.say(key, **values), basis=basis, key=key)


def _by(*basis: Basis) -> list[Basis]:
    return list(basis)


def _matters(item: Finding) -> tuple[bool, bool, bool, float, str]:
    """What cannot wait first, then what is more than flagged, then by score."""
    urgent = item.code in findings() and findings()[item.code].urgent
    return not urgent, item.only_flagged, item.code not in FIRST, -(item.score or 0.0), item.code


def _quoted(text: str) -> str:
    """The user's words on one line, cut where they are long."""
    plain = " ".join(text.split())
    return plain if len(plain) <= QUOTED_MAX else f"{plain[:QUOTED_MAX]}…"


__all__ = ["QUOTED_MAX", "Draft", "Section", "Sentence", "drafted"]
