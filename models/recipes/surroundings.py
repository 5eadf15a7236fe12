"""What lungs drawn by hand say of structures that nobody drew: where those cannot be, and some places where they must.

Lungs as JSRT/SCR and Montgomery draw them end at the mediastinum, at the diaphragm and at the chest wall. So a lung's
pixel belongs to none of the others but the ribs; what lies between the lungs, in their upper part, is mediastinum; what
lies right below the middle of a lung is diaphragm; and beside the lungs there is none of them.
"""

import torch

from models.networks import DRAWN_BY_HAND, STRUCTURES

MIDDLE_PART = 0.6
"""Upper share of the rows of both lungs in which all between them is mediastinum; lower down comes abdomen."""

CENTRAL_REACH = 0.25
"""Spine, trachea, aorta and (above the lungs) mediastinum stay this near to the midline, share of both lungs' width."""

SIDE_MARGIN = 0.06
"""Ribs and diaphragm reach at most so far beside the lungs, share of their width."""

BAND = 0.12
"""Depth below a lung that is diaphragm for sure, share of the lungs' height."""

DOME_ROWS = 0.5
"""Share of the lungs' height above which no diaphragm rises."""

FLOOR = (0.4, 0.85)
"""Part of a lung's width, counted from the midline, over which its lower edge is the diaphragm and not the heart."""

FLOOR_ROWS = 0.7
"""Share of the lungs' height below which that lower edge must lie."""

LEAST_LUNG = 0.02
"""Share of the picture that each lung must cover for anything to be concluded from it."""

CENTRAL = ("mediastinum", "aorta", "trachea", "spine")


def _edges(masks: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """First and last index of each line of bool [N, h, w] along a dimension; h or w and -1 where the line is empty."""
    size = masks.shape[dim]
    shape = [1, 1, 1]
    shape[dim] = size
    index = torch.arange(size).view(shape)
    return torch.where(masks, index, size).amin(dim=dim), torch.where(masks, index, -1).amax(dim=dim)


def concluded(lungs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(targets, certain), both float32 [N, 12, h, w], from hand-drawn lungs float32 [N, 2, h, w] (left, right).

    `certain` is 1 where the target of a structure follows from the lungs, and 0 for the structures drawn by hand.
    """
    left, right = lungs[:, 0] > 0.5, lungs[:, 1] > 0.5
    count, height, width = left.shape
    both = left | right
    rows, columns = torch.arange(height).view(1, height, 1), torch.arange(width).view(1, 1, width)
    top, bottom = (edge.view(count, 1, 1) for edge in _edges(both.any(dim=2)[:, None], 2))
    low, high = (edge.view(count, 1, 1) for edge in _edges(both.any(dim=1)[:, None], 2))
    tall, wide = (bottom - top + 1).clamp(min=1), (high - low + 1).clamp(min=1)
    inner_right, inner_left = _edges(right, 2)[1][:, :, None], _edges(left, 2)[0][:, :, None]
    paired = (left.any(dim=2) & right.any(dim=2))[:, :, None]
    gaps = ((inner_right + inner_left) / 2 * paired).sum(dim=1, keepdim=True)
    middle = gaps / paired.sum(dim=1, keepdim=True).clamp(min=1)
    upper = rows < top + MIDDLE_PART * tall
    between = paired & upper & (columns > inner_right) & (columns < inner_left)
    away = (columns - middle).abs() / wide
    targets = torch.zeros(count, len(STRUCTURES), height, width)
    certain = torch.zeros_like(targets)

    def put(name: str, positive: torch.Tensor | None, negative: torch.Tensor) -> None:
        channel = STRUCTURES.index(name)
        certain[:, channel] = negative.float()
        if positive is not None:
            targets[:, channel] = positive.float()
            certain[:, channel] = (negative | positive).float()

    outside = (columns < low) | (columns > high)
    for name in CENTRAL:
        far = away > CENTRAL_REACH if name != "mediastinum" else (away > CENTRAL_REACH) & (rows < top)
        lateral = paired & upper & ((columns < inner_right) | (columns > inner_left))
        put(name, between if name == "mediastinum" else None, both | outside | far | lateral)
    beyond = (columns < low - SIDE_MARGIN * wide) | (columns > high + SIDE_MARGIN * wide)
    for name, lung, wrong in (
        ("left_diaphragm", left, columns < middle - SIDE_MARGIN * wide),
        ("right_diaphragm", right, columns > middle + SIDE_MARGIN * wide),
    ):
        first, last = (edge.view(count, 1, 1) for edge in _edges(lung.any(dim=1)[:, None], 2))
        along = (columns - first) / (last - first).clamp(min=1)
        outward = along if name == "left_diaphragm" else 1 - along
        floor = _edges(lung, 1)[1][:, None, :]
        under = (rows > floor) & (rows < floor + BAND * tall) & (floor > top + FLOOR_ROWS * tall)
        positive = under & (outward > FLOOR[0]) & (outward < FLOOR[1])
        put(name, positive, both | beyond | wrong | (rows < top + DOME_ROWS * tall))
    put("ribs", None, beyond | (rows < top - SIDE_MARGIN * tall))
    usable = (lungs > 0.5).float().mean(dim=(2, 3)).amin(dim=1) > LEAST_LUNG
    certain[:, :DRAWN_BY_HAND] = 0
    return targets, certain * usable.view(count, 1, 1, 1)
