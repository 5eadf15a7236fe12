"""Hilum's embedded quality network: chest film or not, pose, polarity, view, lungs cut off, depth of the breath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from imaging.radiograph import Radiograph
from models.adapters.embedded import demand, on_squares, read_network
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference
from models.outputs import Output, Quality, Task
from models.quality import EDGES, VIEWS, QualityNetwork, load_quality

SIDE_BY_SIDE = True

QUARTER_DEG = 90

THRESHOLDS = (
    "chest", "inverted", "mirrored_low", "mirrored_high", "lateral", "pa_low", "pa_high", *EDGES, "breath_cut",
)  # fmt: skip
"""What a card's `verdicts` must give: the score from which on each is said; between a low and a high nothing is. From
`breath_cut` on, of lung cut off at the apices or the bases, the breath is not told."""

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
        """The quality of each film, in order, from one batch."""
        squares, _ = on_squares(films, self.side, self.device)
        with inference(self.device):
            raw = {name: value.float().cpu() for name, value in self.network(squares).items()}
        return [self._verdict({name: value[row] for name, value in raw.items()}) for row in range(len(films))]

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
            cut_edges=tuple(edge for edge, score in zip(EDGES, cut.tolist(), strict=True) if score >= limit[edge]),
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
