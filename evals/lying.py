"""How many lies of a planner the check of its answer catches, and how many truths it doubts.

Truths are sentences as an LLM writes them over evidence that is known; a lie is one of them with one thing changed: a
number, a unit, a side, a status, a finding, a place, a degree, or the citation. A lie is caught when its statement does
not stand as supported. `python -m evals.lying` prints the table of docs/design/evidence.md.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from agent.answer import Verdict
from agent.claims import check
from agent.ledger import EvidenceLedger
from evals.stats import wilson
from models.outputs import ScoreKind
from tools.contract import Finding, Result, Status
from tools.contract.tool import installed

FILM = "f"
CODES = ("effusion", "pneumothorax", "consolidation", "mass", "nodule", "cardiomegaly", "edema", "atelectasis")
NAMES = {
    "effusion": "pleural effusion", "pneumothorax": "pneumothorax", "consolidation": "consolidation", "mass": "mass",
    "nodule": "nodule", "cardiomegaly": "cardiomegaly", "edema": "pulmonary edema", "atelectasis": "atelectasis",
}  # fmt: skip
PLACES = ("upper", "middle", "lower")
TRUTHS = 400
SEED = 20261128


class Measured(BaseModel):
    """Numbers of E3 as a tool's data hold them."""

    cardiothoracic_ratio: float
    mediastinal_width_mm: float
    carina_angle_deg: float
    air: dict[str, float]


@dataclass(frozen=True)
class Scene:
    """Evidence E1 (scores of every finding), E2 (a finding's place), E3 (measures), and what is true of it."""

    ledger: EvidenceLedger
    scores: dict[str, float]
    present: list[str]
    absent: list[str]
    located: str
    side: str
    place: str
    ratio: float
    width_mm: float
    angle_deg: float
    share: float


def scene(draw: random.Random) -> Scene:
    """Random evidence, kept in a ledger as the tools' results are."""
    scores = {code: round(draw.uniform(0.03, 0.97), 4) for code in CODES}
    present = [code for code in CODES if scores[code] >= 0.5] or ["effusion"]
    scores["effusion"] = max(scores["effusion"], 0.51) if present == ["effusion"] else scores["effusion"]
    absent = [code for code in CODES if code not in present]
    located, side, place = draw.choice(present), draw.choice(("left", "right")), draw.choice(PLACES)
    ratio, width = round(draw.uniform(0.38, 0.66), 4), round(draw.uniform(52, 98), 1)
    angle, share = round(draw.uniform(18, 75), 1), round(draw.uniform(0.12, 0.9), 3)
    rows = [
        _row(code, Status.PRESENT if code in present else Status.ABSENT, scores[code], ScoreKind.CALIBRATED_PROBABILITY)
        for code in CODES
    ]
    told = ", ".join(f"{NAMES[code]} {scores[code]:.2f}" for code in CODES)
    there = _row(located, Status.PRESENT, scores[located], ScoreKind.CALIBRATED_PROBABILITY).model_copy(
        update={"laterality": side, "region": f"{side} {place} zone"}
    )
    size = f"cardiothoracic ratio {ratio:.2f}. Mediastinal width {width:.0f} mm. Carina angle {angle:.0f}°. "
    results = [
        ("classify", Result(summary=f"Scores: {told}.", findings=rows)),
        ("ground", Result(summary=f"{NAMES[located]}: {side} {place} zone.", findings=[there])),
        (
            "measure",
            Result(
                summary=f"{size}The {side} lung holds {share:.0%} of the air.",
                data=Measured(
                    cardiothoracic_ratio=ratio,
                    mediastinal_width_mm=width,
                    carina_angle_deg=angle,
                    air={f"{side}_share": share},
                ),
            ),
        ),
    ]
    ledger = EvidenceLedger()
    tools = installed()
    for name, result in results:
        ledger.record(ledger.reserve(name, name, {"image_id": FILM}), tools.get(name), {"image_id": FILM}, result)
    return Scene(ledger, scores, present, absent, located, side, place, ratio, width, angle, share)


def _row(code: str, status: Status, score: float, kind: ScoreKind) -> Finding:
    return Finding(code=code, image_id=FILM, status=status, score=score, score_kind=kind, threshold=0.5)


def truths(given: Scene, draw: random.Random) -> list[str]:
    """True sentences on a scene, as LLMs phrase them."""
    code, gone = draw.choice(given.present), draw.choice(given.absent or ["nodule"])
    name, away, found = NAMES[code], NAMES[gone], NAMES[given.located]
    score = given.scores[code]
    sentences = [
        f"There is evidence of {name} [E1].",
        f"The film shows {name}, with a calibrated probability of {score:.2f} [E1].",
        f"{name.capitalize()} is present (probability {score:.0%}) [E1].",
        f"The classifier assigns {name} a probability of {score * 100:.1f}% [E1].",
        f"The {found} is on the {given.side} side [E2].",
        f"{found.capitalize()} is seen in the {given.side} {given.place} zone [E2].",
        f"On the {given.side}, there is {found} in the {given.place} zone [E1, E2].",
        f"The cardiothoracic ratio measures {given.ratio:.2f} [E3].",
        f"The CTR is {given.ratio:.2f}, so the heart can be judged against 0.50 [E3]." if given.ratio > 9 else
        f"The cardiothoracic ratio is {given.ratio:.2f} on this film [E3].",
        f"The mediastinal width is {given.width_mm:.0f} mm [E3].",
        f"The mediastinum is {given.width_mm / 10:.1f} cm wide [E3].",
        f"The carina angle measures {given.angle_deg:.0f} degrees [E3].",
        f"The {given.side} lung holds {given.share:.0%} of the air [E3].",
    ]  # fmt: skip
    if given.absent:
        sentences += [
            f"There is no {away} [E1].",
            f"No {away} is seen (probability {given.scores[gone]:.2f}) [E1].",
            f"{away.capitalize()} is absent [E1].",
        ]
    return sentences


Lie = Callable[[str, Scene, random.Random], str | None]
"""A sentence made false in one way; None where it has nothing of that kind."""


def wrong_number(sentence: str, given: Scene, draw: random.Random) -> str | None:
    """The number moved by 7 to 60 % of itself, and by two of its last digits at least."""
    match = re.search(r"(?<![\w.E])\d+(?:\.\d+)?(?!\d*\])", re.sub(r"\[.*?\]", lambda m: "x" * len(m[0]), sentence))
    if match is None:
        return None
    text = match[0]
    decimals = len(text.partition(".")[2])
    step = max(abs(float(text)) * draw.uniform(0.07, 0.6), 2.0 * 10**-decimals)
    moved = float(text) + draw.choice((-1, 1)) * step
    if moved <= 0 or f"{moved:.{decimals}f}" == text:
        moved = float(text) + step
    return f"{sentence[: match.start()]}{moved:.{decimals}f}{sentence[match.end() :]}"


def wrong_unit(sentence: str, given: Scene, draw: random.Random) -> str | None:
    """Millimetres called centimetres and the other way round."""
    for one, other in ((" mm", " cm"), (" cm", " mm"), (" degrees", " mm")):
        if one in sentence:
            return sentence.replace(one, other, 1)
    return None


def wrong_side(sentence: str, given: Scene, draw: random.Random) -> str | None:
    """Left for right."""
    other = "right" if given.side == "left" else "left"
    return re.sub(rf"\b{given.side}\b", other, sentence) if re.search(rf"\b{given.side}\b", sentence) else None


def wrong_status(sentence: str, given: Scene, draw: random.Random) -> str | None:
    """Present for absent."""
    for one, other in (
        ("There is evidence of ", "There is no evidence of "),
        ("The film shows ", "The film shows no "),
        (" is present", " is absent"),
        (" is absent", " is present"),
        ("There is no ", "There is "),
        ("No ", "Definite "),
    ):
        if one in sentence:
            return sentence.replace(one, other, 1)
    return None


def wrong_finding(sentence: str, given: Scene, draw: random.Random) -> str | None:
    """A finding of the other status named in its place, without its number."""
    if "probability" in sentence or "%" in sentence:
        return None
    for code in CODES:
        name = next((word for word in (NAMES[code], NAMES[code].capitalize()) if word in sentence), None)
        if name is not None:
            others = [other for other in CODES if (other in given.present) != (code in given.present)]
            other = NAMES[draw.choice(others)] if others else "pulmonary embolism"
            return sentence.replace(name, other.capitalize() if name[0].isupper() else other, 1)
    return None


def wrong_place(sentence: str, given: Scene, draw: random.Random) -> str | None:
    """Another zone."""
    if f"{given.place} zone" not in sentence:
        return None
    return sentence.replace(given.place, draw.choice([place for place in PLACES if place != given.place]))


def added_degree(sentence: str, given: Scene, draw: random.Random) -> str | None:
    """A degree that no tool gave."""
    match = re.search("|".join(NAMES.values()), sentence)
    if match is None or "no " in sentence.lower() or "absent" in sentence:
        return None
    return (
        f"{sentence[: match.start()]}{draw.choice(('severe', 'small', 'massive', 'mild'))} {sentence[match.start() :]}"
    )


def invented_citation(sentence: str, given: Scene, draw: random.Random) -> str | None:
    """Evidence that does not exist."""
    return re.sub(r"\[.*?\]", f"[E{draw.randint(4, 60)}]", sentence)


def wrong_citation(sentence: str, given: Scene, draw: random.Random) -> str | None:
    """Evidence about something else."""
    other = {"[E1]": "[E3]", "[E2]": "[E3]", "[E3]": "[E2]"}
    cited = re.search(r"\[E\d\]", sentence)
    return sentence.replace(cited[0], other[cited[0]]) if cited else None


def no_citation(sentence: str, given: Scene, draw: random.Random) -> str | None:
    """None at all."""
    return re.sub(r" \[.*?\]", "", sentence)


LIES: dict[str, Lie] = {
    "number": wrong_number, "unit": wrong_unit, "side": wrong_side, "status": wrong_status, "finding": wrong_finding,
    "place": wrong_place, "degree": added_degree, "citation invented": invented_citation,
    "citation of other evidence": wrong_citation, "citation left out": no_citation,
}  # fmt: skip


@dataclass(frozen=True)
class Caught:
    """Of so many sentences of a kind, how many did not stand as supported; and those that did (for truths: did not)."""

    kind: str
    count: int
    doubted: int
    escaped: tuple[str, ...]


def measured(seed: int = SEED, count: int = TRUTHS) -> list[Caught]:
    """Every kind of lie and the truths, on `count` scenes drawn from the seed.

    Args:
        seed: of scenes, sentences and lies.
        count: scenes; of each, every sentence in every way that it can lie.
    """
    draw = random.Random(seed)
    found: dict[str, list[tuple[str, bool]]] = {kind: [] for kind in ("truth", *LIES)}
    for _ in range(count):
        given = scene(draw)
        for sentence in truths(given, draw):
            found["truth"].append((sentence, _doubted(sentence, given)))
            for kind, lie in LIES.items():
                told = lie(sentence, given, draw)
                if told is not None and told != sentence:
                    found[kind].append((told, _doubted(told, given)))
    return [
        Caught(
            kind, len(items), sum(doubted for _, doubted in items),
            tuple(sentence for sentence, doubted in items if doubted is (kind == "truth")),
        )
        for kind, items in found.items()
    ]  # fmt: skip


def _doubted(sentence: str, given: Scene) -> bool:
    claims = check(sentence, given.ledger).claims
    return not claims or any(claim.verdict is not Verdict.SUPPORTED for claim in claims)


def table(found: Sequence[Caught]) -> Iterator[str]:
    """Markdown rows."""
    yield "| what is changed | sentences | not let through | 95 % |"
    yield "|---|--:|--:|---|"
    for item in found:
        low, high = wilson(item.doubted / item.count, item.count)
        name = "nothing: the truth" if item.kind == "truth" else item.kind
        yield f"| {name} | {item.count} | {item.doubted / item.count:.2%} | {low:.2%}–{high:.2%} |"


def main() -> None:
    """Print the table, some of what escaped, and one JSON line."""
    found = measured()
    sys.stdout.write("\n".join(table(found)) + "\n")
    for item in found:
        for sentence in item.escaped[:3]:
            sys.stderr.write(f"{item.kind}: {sentence}\n")
    rates = {item.kind: round(item.doubted / item.count, 4) for item in found}
    sys.stdout.write(json.dumps({"caught": rates, "seed": SEED}) + "\n")


if __name__ == "__main__":
    main()
