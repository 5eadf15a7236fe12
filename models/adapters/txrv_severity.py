"""Extent and density of COVID-19 pneumonia by Cohen et al. (2020): two lines through torchxrayvision's lung opacity.

The authors' model is the logit of "Lung Opacity" of the package's DenseNet-121 over all its data sets, mapped by one
line to each of two scores that experts gave and cut to its range (mlmed/torchxrayvision, scripts/covid-severity).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.adapters import torchxrayvision
from models.adapters.torchxrayvision import TorchXRayVision, prepare
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference
from models.outputs import Attributes, Output, Task

SIDE_BY_SIDE = True

TRAIT = "covid_severity"

SCALES = {
    "geographic_extent": (0.8705248236656189, 3.4137437, 8.0),
    "opacity": (0.5484423041343689, 2.5535977, 6.0),
}
"""Slope, intercept and upper end of each scale, as the authors publish them; the lower end is 0."""

OPACITY = "lung_opacity"


@dataclass(frozen=True)
class Severity:
    """The loaded classifier, of which one logit is read, the `position`-th."""

    card: ModelCard
    classifier: TorchXRayVision
    position: int

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """Both scores of each film, in order, from one batch."""
        del task
        squares = torch.from_numpy(np.stack([prepare(film.pixels, self.classifier.side) for film in films]))
        with inference(self.classifier.device):
            maps = self.classifier.network.features(squares.to(self.classifier.device)).float()
            logits = self.classifier.network.head(maps.mean(dim=(2, 3)))[:, self.position].float().cpu().numpy()
        return [Attributes(TRAIT, tuple(SCALES), scores_of(float(logit))) for logit in logits]


def scores_of(logit: float) -> np.ndarray:
    """Extent (0 to 8) and opacity (0 to 6), float32 [2], of the logit of lung opacity."""
    found = [min(max(slope * logit + intercept, 0.0), top) for slope, intercept, top in SCALES.values()]
    return np.array(found, dtype=np.float32)


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> Severity:
    """The model of a catalog entry whose `weights` is the package's name of its classifier.

    Raises:
        Unavailable: the file is not that classifier's, or it has no output for lung opacity.
    """
    classifier = torchxrayvision.load(entry, card, path, device)
    if OPACITY not in classifier.codes:
        raise Unavailable(f"{entry.weights} has no output for lung opacity.", "Use the weights that the catalog names.")
    return Severity(card, classifier, classifier.used[classifier.codes.index(OPACITY)])
