"""The embedded quality network: is this a chest film, how does it lie, what is cut off, how deep was the breath?

The first five stages of EfficientNet-Lite0 (models/lite0.py) as trained on ImageNet, a small convolutional neck with
one linear layer of outputs, and a smaller neck of its own for the breath. Weights come from a state dict.
"""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from models import lite0
from models.networks import filled

QUALITY_SIDE = 160
"""Side of the quality network's square, pixels: what it judges is large."""

TRUNK_STAGES = 5
TRUNK_CHANNELS = 112
"""Stages of the trunk that are kept, and the channels of its map, which has a sixteenth of the square's side."""

NECK_CHANNELS = (96, 128, 160)
NECK_STRIDES = (2, 1, 2)
FOLDED_SIDE = 3
"""Side of the neck's last map for a square of QUALITY_SIDE."""

SUMMARY = 128
"""Numbers that all outputs are linear in."""

TURNS = 4
"""Quarter turns: 0, 90, 180 and 270 degrees clockwise."""

EDGES = ("apices", "bases", "left", "right")
"""Where lung may be cut off, in the patient's frame: above, below, at the patient's left and right."""

VIEWS = ("PA", "AP", "LATERAL")

BREATH_CHANNELS = (32, 48)
BREATH_SIDE = 5
"""Channels of the breath's neck, and the side of its last map."""

JUDGED = {"chest": 1, "pose": 2 * TURNS, "inverted": 1, "view": len(VIEWS), "cut": len(EDGES)}
"""Outputs of the summary and their widths, in order. `pose` is 2 * quarter turns + mirrored: the film was first
mirrored, then turned."""

OUTPUTS = {**JUDGED, "breath": 1}
"""All outputs. `breath` is no logit but the depth of the breath itself: 0 with POOR_RIBS posterior ribs above the
diaphragm, 1 with FULL_RIBS, beyond both where the film goes beyond."""

POOR_RIBS, FULL_RIBS = 7.0, 10.0
"""Ends of the scale of the breath, as of the phantom's (PhantomSpec.inspiration)."""


class QualityNetwork(nn.Module):
    """Trunk, neck and outputs; see the module."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = lite0.stem()
        self.stages = lite0.stages()[:TRUNK_STAGES]
        layers: list[nn.Module] = []
        channels = TRUNK_CHANNELS
        for out, stride in zip(NECK_CHANNELS, NECK_STRIDES, strict=True):
            layers += [
                nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(),
                nn.Dropout2d(0.1),
            ]
            channels = out
        self.neck = nn.Sequential(*layers)
        self.summary = nn.Linear(channels * FOLDED_SIDE**2, SUMMARY)
        self.drop = nn.Dropout(0.3)
        self.outputs = nn.Linear(SUMMARY, sum(JUDGED.values()))
        self.breath = breath_neck()

    def trunk(self, square: torch.Tensor) -> torch.Tensor:
        """Feature map float32 [N, 112, 10, 10] of squares float32 [N, 1, 160, 160] of `preprocess.prepare`."""
        return self.stages(self.stem(square))

    def summarise(self, features: torch.Tensor) -> torch.Tensor:
        """Summary float32 [N, 128] of feature maps [N, 112, 10, 10]."""
        return functional.relu(self.summary(self.drop(self.neck(features).flatten(1))))

    def judge(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Raw outputs by name, float32 [N, width], of feature maps [N, 112, 10, 10]."""
        return {**named(self.outputs(self.drop(self.summarise(features)))), "breath": self.breath(features)}

    def forward(self, square: torch.Tensor) -> dict[str, torch.Tensor]:
        """Raw outputs by name, float32 [N, width], of squares float32 [N, 1, 160, 160]."""
        return self.judge(self.trunk(square))


def named(raw: torch.Tensor) -> dict[str, torch.Tensor]:
    """Raw outputs [N, sum of widths] cut into JUDGED."""
    return dict(zip(JUDGED, raw.split(list(JUDGED.values()), dim=1), strict=True))


def breath_neck() -> nn.Sequential:
    """The neck that reads the breath, float32 [N, 1], off feature maps [N, 112, 10, 10]."""
    first, second = BREATH_CHANNELS
    return nn.Sequential(
        nn.BatchNorm2d(TRUNK_CHANNELS),
        nn.Conv2d(TRUNK_CHANNELS, first, 3, padding=1, bias=False),
        nn.BatchNorm2d(first),
        nn.ReLU(),
        nn.Dropout2d(0.1),
        nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(second),
        nn.ReLU(),
        nn.Dropout2d(0.1),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(second * BREATH_SIDE**2, 1),
    )


def load_quality(state: Mapping[str, torch.Tensor]) -> QualityNetwork:
    """Quality network in evaluation mode from the stored (half precision) state; computes in float32."""
    return filled(QualityNetwork(), state)
