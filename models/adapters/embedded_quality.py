"""Hilum's embedded quality network: chest film or not, pose, polarity, view, lungs cut off, depth of the breath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from imaging.radiograph import Radiograph
from models.adapters.embedded import demand, on_squares, read_network
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference
from models.outputs import Output, Quality, Task
from models.preprocess import prepare
from models.quality import EDGES, VIEWS, QualityNetwork, load_quality

SIDE_BY_SIDE = True

QUARTER_DEG = 90

THRESHOLDS = (
    "chest", "inverted", "mirrored_low", "mirrored_high", "lateral", "pa_low", "pa_high", *EDGES, "breath_cut",
)  # fmt: skip
"""What a card's `verdicts` must give: the score from which on each is said; between a low and a high nothing is. From
`breath_cut` on, of lung cut off at the apices or the bases, the breath is not told."""

LOWER, LOWER_SURE = 0.5, 0.9
"""Share of a film, from below, that is looked at again where the whole looks like no chest, and the score from which it
is one: a field set too high shows the head, which hardly any film had that the network learnt from. Of 18 phantoms
whose bases such a field cuts off by 5 to 30 % the whole was refused in 16, the lower half scored 0.9 in 17; of 375
drawn pictures of other things (hands, pelves, skulls, pages), all refused, no lower half did."""

COUNTED_BETWEEN = (EDGES.index("apices"), EDGES.index("bases"))
"""Edges that must be on the film for its ribs to be counted."""


@dataclass(frozen=True)
class EmbeddedQuality:
    """The loaded network.

    Attributes:
        verdicts: threshold by name, of THRESHOLDS, from the card.
        reads_breath: whether the card calls the depth of the breath usable.
        side: of the square the network sees, pixels.
    """

    card: ModelCard
    network: QualityNetwork
    verdicts: Mapping[str, float]
    reads_breath: bool
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """The quality of each film, in order, from one batch; of some films from their lower half, see LOWER."""
        squares, _ = on_squares(films, self.side, self.device)
        told = self._verdicts(squares)
        return [self._again(film, one) for film, one in zip(films, told, strict=True)]

    def _again(self, film: Radiograph, whole: Quality) -> Quality:
        """The verdict on the lower half where only that is, surely, an upright chest; else on the whole."""
        if whole.is_chest:
            return whole
        first = round((1 - LOWER) * film.pixels.shape[0])
        square, _ = prepare(film.pixels[first:], self.side)
        [lower] = self._verdicts(square.to(self.device))
        if lower.is_chest_score < LOWER_SURE or lower.turned_deg:
            return whole
        # The film goes on above: no apex is cut off.
        cut = lower.cut_scores.copy()
        cut[EDGES.index("apices")] = 0.0
        return replace(lower, cut_scores=cut, cut_edges=self._cut(cut), inspiration=None)

    def _cut(self, scores: npt.NDArray[np.float32]) -> tuple[str, ...]:
        """The edges whose score reaches their threshold."""
        return tuple(edge for edge, score in zip(EDGES, scores, strict=True) if score >= self.verdicts[edge])

    def _verdicts(self, squares: torch.Tensor) -> list[Quality]:
        """Scores and verdicts of each square [N, 1, side, side]."""
        with inference(self.device):
            raw = {name: value.float().cpu() for name, value in self.network(squares).items()}
        return [self._verdict({name: value[row] for name, value in raw.items()}) for row in range(len(squares))]

    def _verdict(self, raw: Mapping[str, torch.Tensor]) -> Quality:
        """Scores and verdicts of one film from its raw outputs by name."""
        chest = float(torch.sigmoid(raw["chest"]))
        pose = torch.softmax(raw["pose"], dim=0).reshape(-1, 2)
        by_turn = pose.sum(dim=1)
        turn = int(by_turn.argmax())
        mirrored = float(pose[turn, 1] / by_turn[turn].clamp(min=1e-6))
        inverted = float(torch.sigmoid(raw["inverted"]))
        views = torch.softmax(raw["view"], dim=0)
        cut = torch.sigmoid(raw["cut"])
        limit = self.verdicts
        return Quality(
            is_chest=chest >= limit["chest"],
            is_chest_score=chest,
            turned_deg=QUARTER_DEG * turn,
            turned_score=float(by_turn[turn]),
            mirrored=_between(mirrored, limit["mirrored_low"], limit["mirrored_high"]),
            mirrored_score=mirrored,
            inverted=inverted >= limit["inverted"],
            inverted_score=inverted,
            view=self._view(views),
            view_scores=views.numpy(),
            cut_edges=self._cut(cut.numpy()),
            cut_scores=cut.numpy(),
            inspiration=self._depth(raw["breath"], cut) if not turn and inverted < limit["inverted"] else None,
        )

    def _depth(self, raw: torch.Tensor, cut: torch.Tensor) -> float | None:
        """Depth of the breath 0..1 of an upright film, None where lung is cut off above or below."""
        lost = max(float(cut[edge]) for edge in COUNTED_BETWEEN)
        if not self.reads_breath or lost >= self.verdicts["breath_cut"]:
            return None
        return min(max(float(raw), 0.0), 1.0)

    def _view(self, views: torch.Tensor) -> str:
        """PA, AP or LATERAL from their scores [3]; FRONTAL between the two thresholds of PA against AP."""
        pa, ap, lateral = views.tolist()
        if lateral >= self.verdicts["lateral"]:
            return VIEWS[2]
        share = pa / max(pa + ap, 1e-6)
        said = _between(share, self.verdicts["pa_low"], self.verdicts["pa_high"])
        return "FRONTAL" if said is None else VIEWS[0] if said else VIEWS[1]


def _between(score: float, low: float, high: float) -> bool | None:
    """True from `high` on, False up to `low`, None between the two."""
    return True if score >= high else False if score <= low else None


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> EmbeddedQuality:
    """The quality network from its safetensors file.

    Raises:
        Unavailable: the file is not this network's, or the card lacks a threshold.
    """
    verdicts: dict[str, Any] = (card.model_extra or {}).get("verdicts", {})
    demand(verdicts, THRESHOLDS, entry)
    breath: dict[str, Any] = (card.model_extra or {}).get("inspiration", {})
    network = read_network(load_quality, entry, path, device)
    return EmbeddedQuality(card, network, verdicts, bool(breath.get("usable")), entry.input_size, device)
