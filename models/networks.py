"""Two of the embedded networks: a segmenter of twelve structures and a classifier of fourteen findings.

Both are built on EfficientNet-Lite0 (models/lite0.py); weights come from a state dict.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional

from models import lite0
from models.preprocess import FloatImage, prepare, restore, restore_mask

Network = TypeVar("Network", bound=nn.Module)

STRUCTURES = (
    "left_lung", "right_lung", "heart", "left_clavicle", "right_clavicle",
    "mediastinum", "aorta", "trachea", "spine", "ribs", "left_diaphragm", "right_diaphragm",
)  # fmt: skip
"""Channels of the segmenter, in order. Left and right are the patient's."""

DRAWN_BY_HAND = 5
"""The first structures, which human readers outlined on real films; the others are known on phantoms only."""

BRANCHES = (DRAWN_BY_HAND, len(STRUCTURES) - DRAWN_BY_HAND)
"""Structures of the segmenter's two branches, in their order."""

IN_PIECES = frozenset({"ribs"})
"""Structures of several pieces with gaps between them: cleaning keeps every piece but specks, and fills no holes."""

SPECK_SHARE = 2e-4
"""Pieces below this share of the network's square are specks (13 of 65,536 pixels)."""

FINDINGS = (
    "atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax",
    "consolidation", "edema", "emphysema", "fibrosis", "pleural_thickening", "hernia",
)  # fmt: skip
"""Channels of the classifier, in order."""

SEGMENTER_SIDE = 256
"""Side of the segmenter's square, pixels."""

ENCODER_CHANNELS = (16, 24, 40, 112)
"""Channels of EfficientNet-Lite0 after its stages 0, 1, 2 and 4 (strides 2, 4, 8 and 16)."""

ENCODER_STAGES = ((0, 1), (1, 2), (2, 3), (3, 5))
"""Slices of the backbone's stages that end at each of the four strides."""

DECODER_CHANNELS = (64, 40, 24)
"""Channels of the decoder at strides 8, 4 and 2."""

CLASSIFIER_SIDE = 320
"""Side of the classifier's square, pixels."""

CELLS = 20
"""Cells along a side of the classifier's first level of maps."""

BANDS = 3
"""Feature maps are averaged over the upper, middle and lower third of the square: where matters in a chest."""

FIRST_LEVEL = 3
LEVEL_CHANNELS = (80, 112, 192, 320)
"""Channels of the backbone's stages 3 to 6, which the linear head reads (better than the top in cross-validation)."""

AVERAGES = BANDS * sum(LEVEL_CHANNELS)
"""Averages of the levels' maps that the head reads: its first columns, before the peaks."""

PEAK_CHANNELS = 64
PEAK_SHARPNESS = 5.0
"""Width of the branch that looks for findings cell by cell, and the sharpness of the log-sum-exp that makes a film's
peak of its cells (between mean and maximum; Pinheiro & Collobert 2015)."""

KEEP_MARGIN = 2
"""Network pixels kept around the largest component, so that its soft edge survives the clean-up."""

ROUNDED = frozenset({"heart"})
"""Structures without tails: at times the outline of a heart runs on along the dome of the diaphragm."""

TAIL_RADIUS = 0.16
"""An opening by a disc of this radius, times the square root of the area, takes off what is narrower than the disc."""

TAIL_SHARE = 0.05
"""The tail is cut off if that makes the structure narrower by more than this. With this and TAIL_RADIUS, 3 of 200 JSRT
outlines and 6 of 48 of phantoms without effusion changed; of those phantoms the share whose cardiothoracic ratio came
out within 0.02 of the truth rose from 0.83 to 0.94, on JSRT it stayed at 0.91."""


class UpBlock(nn.Module):
    """Doubles the resolution of a map and merges it with the encoder's map of that size."""

    def __init__(self, deep: int, skip: int, out: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(deep + skip, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU6())
        self.mix = nn.Sequential(nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU6())

    def forward(self, deep: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Merge deep [N, C, h, w] with skip [N, S, 2h, 2w] into [N, out, 2h, 2w]."""
        grown = functional.interpolate(deep, size=skip.shape[-2:], mode="bilinear", align_corners=False)
        return self.mix(self.reduce(torch.cat((grown, skip), dim=1)))


class Branch(nn.Module):
    """The encoder's deepest stage and a light decoder, for some of the structures."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        first, last = ENCODER_STAGES[-1]
        self.deep = lite0.stages()[first:last]
        widths = (ENCODER_CHANNELS[-1], *DECODER_CHANNELS)
        skips = ENCODER_CHANNELS[-2::-1]
        self.ups = nn.ModuleList([UpBlock(widths[i], skips[i], widths[i + 1]) for i in range(len(DECODER_CHANNELS))])
        self.head = nn.Conv2d(DECODER_CHANNELS[-1], outputs, 1)

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits [N, outputs, side / 2, side / 2] from the maps of the shared stages, at strides 2, 4 and 8."""
        grown: torch.Tensor = self.deep(features[-1])
        for up, skip in zip(self.ups, features[::-1], strict=True):
            grown = up(grown, skip)
        logits: torch.Tensor = self.head(grown)
        return logits


class Segmenter(nn.Module):
    """U-shaped network: the first stages of EfficientNet-Lite0, shared, and one branch per group of structures.

    Two branches are shipped: what was learnt from phantoms would cost the structures drawn by hand some of their Dice
    on real films, so those keep a branch of their own.
    """

    def __init__(self, outputs: Sequence[int] = BRANCHES) -> None:
        super().__init__()
        trunk = lite0.stages()
        self.stem = lite0.stem()
        self.stages = nn.ModuleList([trunk[first:last] for first, last in ENCODER_STAGES[:-1]])
        self.branches = nn.ModuleList([Branch(number) for number in outputs])

    def forward(self, square: torch.Tensor) -> torch.Tensor:
        """Logits float32 [N, 12, side, side] from squares float32 [N, 1, side, side] of `preprocess.prepare`."""
        size = square.shape[-2:]
        return functional.interpolate(self.halved(square), size=size, mode="bilinear", align_corners=False)

    def halved(self, square: torch.Tensor) -> torch.Tensor:
        """The same logits at half the side, [N, 12, side / 2, side / 2]: what the decoders compute."""
        features = []
        deep = self.stem(square)
        for stage in self.stages:
            deep = stage(deep)
            features.append(deep)
        return torch.cat([branch(features) for branch in self.branches], dim=1)


class Peaks(nn.Module):
    """A small branch over the four levels that scores each finding in each cell of the first level's map.

    An average over a band hides what is small or needs its neighbours to be told; a peak does not.
    """

    def __init__(self) -> None:
        super().__init__()
        wide = PEAK_CHANNELS
        self.lateral = nn.ModuleList([nn.Conv2d(channels, wide, 1, bias=False) for channels in LEVEL_CHANNELS])
        self.norms = nn.ModuleList([nn.BatchNorm2d(wide) for _ in range(3)])
        self.place = nn.Parameter(torch.zeros(1, wide, CELLS, CELLS))
        self.near = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.wider = nn.Conv2d(wide, wide, 3, padding=2, dilation=2, bias=False)
        self.whole = nn.Linear(BANDS * wide, wide)
        self.told = nn.Conv2d(wide, len(FINDINGS), 1)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits [N, 14, h, w] of each cell of the first of the four levels' maps [N, C, h, w]."""
        size = maps[0].shape[-2:]
        grown = [
            functional.interpolate(lateral(level), size=size, mode="bilinear", align_corners=False)
            for lateral, level in zip(self.lateral, maps, strict=True)
        ]
        place = functional.interpolate(self.place, size=size, mode="bilinear", align_corners=False)
        mixed = functional.relu(self.norms[0](torch.stack(grown).sum(dim=0) + place))
        mixed = mixed + functional.relu(self.norms[1](self.near(mixed)))
        whole = self.whole(functional.adaptive_avg_pool2d(mixed, (BANDS, 1)).flatten(1))[:, :, None, None]
        cells: torch.Tensor = self.told(functional.relu(self.norms[2](self.wider(mixed) + whole)))
        return cells


def peak_of(cells: torch.Tensor) -> torch.Tensor:
    """A film's logits [N, K] from those of its cells [N, K, h, w]; see PEAK_SHARPNESS."""
    flat = cells.flatten(2)
    return (torch.logsumexp(PEAK_SHARPNESS * flat, dim=2) - math.log(flat.shape[2])) / PEAK_SHARPNESS


def peak_parts(cells: torch.Tensor) -> torch.Tensor:
    """What each cell adds to the peak of its film, [N, K, h, w] as given; their mean is `peak_of`.

    A cell adds its own logit, and of what the peak is above their mean its share by the peak's gradient.
    """
    flat = cells.flatten(2)
    above = (peak_of(cells) - flat.mean(dim=2))[:, :, None]
    shares = torch.softmax(PEAK_SHARPNESS * flat, dim=2) * flat.shape[2]
    return (flat + shares * above).view_as(cells)


class Classifier(nn.Module):
    """EfficientNet-Lite0's stages, averages over three horizontal bands and peaks of cells, and one linear head.

    Class activation maps hold what each cell adds to the averages and to the peaks; their mean is the logit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = lite0.stem()
        self.stages = lite0.stages()
        self.peaks = Peaks()
        self.head = nn.Linear(AVERAGES + len(FINDINGS), len(FINDINGS))

    def levels(self, square: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps [N, C, h, w] of the four levels, in the order of the head's columns."""
        maps = []
        deep = self.stem(square)
        for index, stage in enumerate(self.stages):
            deep = stage(deep)
            if index >= FIRST_LEVEL:
                maps.append(deep)
        return maps

    def features(self, square: torch.Tensor) -> torch.Tensor:
        """Averages of the feature maps, float32 [N, 2112]: what describes a film to others."""
        return _pooled(self.levels(square))

    def columns(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """What the linear head sees, float32 [N, 2126]: averages of the maps that `levels` gives, then their peaks."""
        return torch.cat((_pooled(maps), peak_of(self.peaks(maps))), dim=1)

    def forward(self, square: torch.Tensor) -> torch.Tensor:
        """Raw logits float32 [N, 14] from squares float32 [N, 1, 320, 320] of `preprocess.prepare`."""
        return self.read(self.levels(square))

    def read(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Raw logits float32 [N, 14] from the maps that `levels` gives."""
        return self.head(self.columns(maps))

    def forward_with_cam(self, square: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits [N, 14], class activation maps [N, 14, 20, 20], whose mean over the map is the logit, and the branch's
        cells [N, 14, 20, 20]."""
        maps = self.levels(square)
        cells = self.peaks(maps)
        logits = self.head(torch.cat((_pooled(maps), peak_of(cells)), dim=1))
        size = maps[0].shape[-2:]
        cam = torch.einsum("nphw,fp->nfhw", peak_parts(cells), self.head.weight[:, AVERAGES:])
        weights = self.head.weight[:, :AVERAGES].split([BANDS * channels for channels in LEVEL_CHANNELS], dim=1)
        for level, weight in zip(maps, weights, strict=True):
            rows = level.shape[-2]
            share = functional.adaptive_avg_pool1d(torch.eye(rows)[None], BANDS)[0] * rows
            banded = weight.view(len(FINDINGS), level.shape[1], BANDS)
            local = torch.einsum("nchw,fcb,hb->nfhw", level, banded, share)
            cam = cam + functional.interpolate(local, size=size, mode="bilinear", align_corners=False)
        shift = logits - cam.mean(dim=(2, 3))
        return logits, cam + shift[:, :, None, None], cells


def _pooled(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat([functional.adaptive_avg_pool2d(level, (BANDS, 1)).flatten(1) for level in maps], dim=1)


def load_segmenter(state: Mapping[str, torch.Tensor], outputs: Sequence[int] = BRANCHES) -> Segmenter:
    """Segmenter in evaluation mode from the stored (half precision) state; computes in float32."""
    return filled(Segmenter(outputs), state)


def load_classifier(state: Mapping[str, torch.Tensor]) -> Classifier:
    """Classifier in evaluation mode from the stored (half precision) state; computes in float32."""
    return filled(Classifier(), state)


def filled(network: Network, state: Mapping[str, torch.Tensor]) -> Network:
    """A network in evaluation mode with the stored (half precision) state as float32."""
    single = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    network.load_state_dict(single)
    return network.eval().requires_grad_(False)


def segment(
    network: Segmenter, pixels: FloatImage, thresholds: Sequence[float]
) -> tuple[FloatImage, npt.NDArray[np.bool_]]:
    """Structures of a film in its own geometry: probabilities float32 [12, H, W] and cleaned masks bool [12, H, W].

    Takes pixels float32 [H, W] in [0, 1] with 1 = dense, and one probability threshold per structure. Cleaning (the
    largest component, holes filled) is done at the network's resolution, so that a large film costs little more.
    """
    square, geometry = prepare(pixels, SEGMENTER_SIDE)
    with torch.inference_mode():
        maps = torch.sigmoid(network(square))[0]
    probabilities = restore(maps, geometry)
    named = zip(STRUCTURES, maps, thresholds, strict=True)
    cleaned = [clean(one.numpy(), threshold, name) for name, one, threshold in named]
    masks = [restore_mask(one, geometry, threshold) for one, threshold in zip(cleaned, thresholds, strict=True)]
    return probabilities, np.stack(masks)


def clean(probability: FloatImage, threshold: float, structure: str = "") -> FloatImage:
    """One structure's map [h, w] cleaned: everything but its largest component 0 and that component's holes 1.

    Of a structure IN_PIECES only specks become 0; one of ROUNDED loses its tail.
    """
    labels, count = ndimage.label(probability > threshold)
    if count == 0:
        return np.zeros_like(probability)
    sizes = np.bincount(labels.ravel())
    if structure in IN_PIECES:
        specks = (sizes < SPECK_SHARE * labels.size)[labels] & (labels > 0)
        return np.where(specks, 0.0, probability).astype(np.float32)
    largest = labels == 1 + int(np.argmax(sizes[1:]))
    filled = ndimage.binary_fill_holes(largest)
    if structure in ROUNDED:
        filled = without_tail(filled)
    near = ndimage.binary_dilation(filled, iterations=KEEP_MARGIN)
    others = (labels > 0) & ~filled
    kept = np.where(near & ~others, probability, 0.0)
    return np.where(filled & ~largest, 1.0, kept).astype(np.float32)


def without_tail(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """A mask [h, w] without what an opening takes off, where that is wide enough to be a tail; see TAIL_SHARE."""
    radius = TAIL_RADIUS * math.sqrt(mask.sum())
    core = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] > radius
    if not core.any():
        return mask
    opened = (ndimage.distance_transform_edt(~core) <= radius) & mask
    labels, _ = ndimage.label(opened)
    body: npt.NDArray[np.bool_] = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    columns, left = (np.flatnonzero(one.any(axis=0)) for one in (mask, body))
    return body if np.ptp(left) < (1 - TAIL_SHARE) * np.ptp(columns) else mask
