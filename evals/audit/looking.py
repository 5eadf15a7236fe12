"""From a cohort to the figures: subgroups and intersections, devices, masked lungs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from evals.audit.cohort import UNKNOWN, VARIANTS, Cohort
from evals.audit.ranking import Flags, Floats, Resamples, auroc, enough, figure
from tools.audits import Attribute, GroupFigure, Masking, Shortcut

EVERYBODY = "all films"


class Looking:
    """One cohort with its resamples, asked for one table after the other.

    Args:
        cohort: the films.
        codes: findings to look at; all that are labelled and scored, where left out.
    """

    def __init__(self, cohort: Cohort, codes: Sequence[str] = ()) -> None:
        self._cohort = cohort
        self._weights = Resamples(cohort.patients).weights
        everybody = np.ones(len(cohort), dtype=np.bool_)
        self.codes = [code for code in codes or cohort.codes if self._enough(code, everybody)]

    def overall(self) -> GroupFigure:
        """All films."""
        everybody = np.ones(len(self._cohort), dtype=np.bool_)
        return self._group(EVERYBODY, everybody, self.codes)

    def attributes(self) -> list[Attribute]:
        """Each attribute, then each two of them together."""
        parted = self._cohort.attributes()
        both = {
            f"{one} and {other}": np.char.add(np.char.add(parted[one], ", "), parted[other])
            for one, other in combinations(parted, 2)
        }
        return [self._attribute(name, groups) for name, groups in {**parted, **both}.items()]

    def shortcuts(self) -> list[Shortcut]:
        """Each finding's films with and without the device that the labels tell of."""
        told = self._cohort.device()
        if told is None:
            return []
        device, on = told
        found = []
        for code in self.codes:
            truth, known = self._cohort.truth(code), self._known(code)
            parts = [known & (~truth | (truth & on)), known & (~truth | (truth & ~on))]
            values = [self._auroc(code, part) if enough(truth[part]) else None for part in parts]
            figures = [None if v is None else figure(v, truth[part]) for v, part in zip(values, parts, strict=True)]
            if figures == [None, None]:
                continue
            gap = None if values[0] is None or values[1] is None else figure(values[0] - values[1], truth[known])
            found.append(
                Shortcut(finding=code, device=device, with_device=figures[0], without_device=figures[1], gap=gap)
            )
        return found

    def masking(self) -> list[Masking]:
        """Each finding on whole and masked films, on the films that have all variants."""
        rows = []
        for code in self.codes:
            scored = [np.isfinite(self._cohort.scores(code, variant)) for variant in VARIANTS]
            part = np.logical_and.reduce(scored) & self._cohort.labelled(code)
            truth = self._cohort.truth(code)[part]
            if enough(truth):
                figures = {v: figure(self._auroc(code, part, v), truth) for v in VARIANTS}
                rows.append(Masking(finding=code, **figures))
        return rows

    def _attribute(self, name: str, groups: npt.NDArray[np.str_]) -> Attribute:
        parts = {str(group): groups == group for group in np.unique(groups) if UNKNOWN not in str(group)}
        # A group that has too few films for most findings would leave nothing to compare the others by.
        large = {group: part for group, part in parts.items() if any(self._enough(code, part) for code in self.codes)}
        compared = [code for code in self.codes if large and all(self._enough(code, part) for part in large.values())]
        rows = [self._group(group, part, compared) for group, part in parts.items()]
        attribute = Attribute(name=name, compared=compared, groups=rows)
        told = {row.group: row.mean.value for row in rows if row.mean is not None}
        if len(told) < 2:
            return attribute
        worst, best = min(told, key=lambda g: told[g]), max(told, key=lambda g: told[g])
        gap = self._mean(parts[best], compared) - self._mean(parts[worst], compared)
        truth = np.logical_or.reduce([self._cohort.truth(code) for code in compared])
        return attribute.model_copy(update={"worst": worst, "best": best, "gap": figure(gap, truth)})

    def _group(self, name: str, part: Flags, compared: Sequence[str]) -> GroupFigure:
        own = {
            code: figure(self._auroc(code, part), self._cohort.truth(code)[part & self._known(code)])
            for code in self.codes
            if self._enough(code, part)
        }
        whole = bool(compared) and set(compared) <= set(own)
        truth = np.logical_or.reduce([self._cohort.truth(code) for code in compared])[part] if whole else np.array([])
        mean = figure(self._mean(part, compared), truth) if whole else None
        return GroupFigure(group=name, films=int(part.sum()), mean=mean, findings=own)

    def _mean(self, part: Flags, codes: Sequence[str]) -> Floats:
        """Mean AUROC over findings, of each resample."""
        return np.nanmean([self._auroc(code, part) for code in codes], axis=0)

    def _auroc(self, code: str, part: Flags, variant: str = "whole") -> Floats:
        here = part & self._known(code, variant)
        truth, scores = self._cohort.truth(code)[here], self._cohort.scores(code, variant)[here]
        return auroc(truth, scores, self._weights[:, here])

    def _known(self, code: str, variant: str = "whole") -> Flags:
        return self._cohort.labelled(code) & np.isfinite(self._cohort.scores(code, variant))

    def _enough(self, code: str, part: Flags) -> bool:
        return enough(self._cohort.truth(code)[part & self._known(code)])


__all__ = ["EVERYBODY", "Looking"]
