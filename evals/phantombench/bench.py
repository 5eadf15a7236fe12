"""PhantomBench: so many questions of a seed and track, spread evenly over the seven categories."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from evals.phantombench.balance import Balance
from evals.phantombench.categories import CATEGORIES
from evals.phantombench.drafts import Draft, lettered, matched
from evals.phantombench.films import FOLDER, Shown, show
from evals.phantombench.patients import PAIRED_EVERY, PERTURBED, Patient, draw_patient, twin_of
from evals.progress import Progress
from evals.questions import Question, Questions
from imaging.failures import BadArguments

STANDARD = "standard"
PAIRED = "paired"
TRACKS = (STANDARD, *PERTURBED, PAIRED)
DEFAULT_N = 210
PER_PATIENT = 2
"""Most questions of one category about one patient: films are dear, and intervals know that questions share them."""
BATCH = 16
"""Patients whose films are made together; two where few questions are wanted."""
AGE_BANDS = ((40, "under 40"), (65, "40 to 64"), (200, "65 and over"))


def load(track: str, n: int | None, seed: int | None, folder: Path, progress: Progress) -> Questions:
    """The first n questions of a seed. Fewer questions of the same seed and track are the first of more, per category.

    Args:
        track: one of TRACKS.
        n: how many; DEFAULT_N when left out. The paired track asks every question of two films: an odd n is one less.
        seed: of patients, films and words; 0 when left out.
        folder: the log folder; films are kept below it.
        progress: told that films are being made.
    """
    wanted = DEFAULT_N if n is None else n
    least = 2 if track == PAIRED else 1
    if wanted < least:
        raise BadArguments(f"--n is {wanted}.", f"Give at least {least}.")
    progress.note(f"Making or finding the films of PhantomBench ({track}, seed {seed or 0}) ...")
    made = _pairs if track == PAIRED else _single
    items = tuple(made(track, wanted, seed or 0, folder / FOLDER))
    digest = hashlib.sha256()
    for item in items:
        digest.update(repr((item.id, item.text, item.target, [film.name for film in item.films])).encode())
    films = len({film for item in items for film in item.films})
    cases = len({item.case_id for item in items})
    note = f"{len(items)} questions on {films} synthetic films of {cases} synthetic patients; no real patient is shown"
    return Questions(items, digest.hexdigest(), (note,))


def _single(track: str, n: int, seed: int, folder: Path) -> Iterator[Question]:
    quota, balance = _quota(n), Balance()
    for batch in _batches(n, seed, track):
        for shown in show(batch, folder):
            for category in CATEGORIES:
                most = PER_PATIENT * (PAIRED_EVERY if category == "comparison" else 1)
                wanted = quota[category] > 0
                for draft in balance.choose(category, _drafts(shown, category, seed), most) if wanted else ():
                    if quota[category] > 0:
                        quota[category] -= 1
                        yield _question(shown, category, draft, seed, track)
        if not any(quota.values()):
            return


def _pairs(track: str, n: int, seed: int, folder: Path) -> Iterator[Question]:
    quota, balance = _quota(n // 2), Balance()
    number = 0
    for batch in _batches(n // 2, seed, track):
        twins = [twin_of(patient, seed, number + index) for index, patient in enumerate(batch)]
        number += len(batch)
        for one, other in zip(show(batch, folder), show(twins, folder), strict=True):
            for category in CATEGORIES:
                if quota[category] <= 0:
                    continue
                pair = _pair(one, other, category, seed, balance)
                balance.seen(category, pair is not None)
                if pair is not None:
                    quota[category] -= 1
                    yield _question(one, category, pair[0], seed, track, f"{one.patient.id}-{category}")
                    yield _question(other, category, pair[1], seed, track, f"{one.patient.id}-{category}")
        if not any(quota.values()):
            return


def _quota(n: int) -> Counter[str]:
    """Questions per category: equal, the first categories one more where n does not divide."""
    each, over = divmod(n, len(CATEGORIES))
    return Counter({name: each + (index < over) for index, name in enumerate(CATEGORIES)})


def _batches(n: int, seed: int, track: str) -> Iterator[list[Patient]]:
    """Patients without end, in the order of their numbers; every batch has some with two films."""
    size = BATCH if n > BATCH * len(CATEGORIES) else 2
    number = 0
    while True:
        yield [draw_patient(seed, number + index, track) for index in range(size)]
        number += size


def _drafts(shown: Shown, category: str, seed: int) -> list[Draft]:
    """Every question of a category that the patient's truth allows, in drawn order."""
    rng = random.Random(f"{seed}/{shown.patient.id}/{category}")
    drafts = list(CATEGORIES[category](shown, rng))
    rng.shuffle(drafts)
    return drafts


def _pair(one: Shown, other: Shown, category: str, seed: int, balance: Balance) -> tuple[Draft, Draft] | None:
    """The question that both can be asked with different answers and whose true options lag most; None for none."""
    others = _drafts(other, category, seed)
    pairs = [matched(draft, twin) for draft in _drafts(one, category, seed) for twin in others]
    fit = [pair for pair in pairs if pair is not None and balance.fits(category, *pair)]
    if not fit:
        return None
    best = min(fit, key=lambda pair: max(balance.lead(category, draft) for draft in pair))
    for draft in best:
        balance.take(category, draft)
    return best


def _question(shown: Shown, category: str, draft: Draft, seed: int, track: str, pair: str = "") -> Question:
    # The same letters for both of a pair and in every track: only the film differs.
    rng = random.Random(f"{seed}/{pair or shown.patient.id}/{draft.stem}")
    text, letters, target = lettered(draft, rng)
    name = hashlib.sha256(f"{shown.patient.id}/{category}/{draft.stem}".encode()).hexdigest()[:6]
    now = shown.now
    return Question(
        id=f"{shown.patient.id}-{category}-{name}",
        case_id=shown.patient.id.rstrip("t"),
        text=text,
        letters=letters,
        target=target,
        films=shown.files if category == "comparison" else shown.files[-1:],
        categories=(category,),
        pair=pair,
        groups={
            "age": next(words for limit, words in AGE_BANDS if now["patient"]["age_years"] < limit),
            "sex": now["patient"]["sex"],
            "view": now["view"],
            "finding": draft.about or "none",
        },
        regions=tuple(tuple(now["boxes"][name]) for name in draft.regions if now["boxes"].get(name)),
    )
