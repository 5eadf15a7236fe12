"""Saliency by gradients: which parts of a picture raise one output of a network. The methods are captum's.

captum is imported when it is needed: it brings matplotlib with it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from imaging.failures import BadArguments
from models.device import differentiable
from models.request import Question

STEPS, STEPS_AT_ONCE = 16, 4
"""Points of the path of integrated gradients, and how many are computed together: memory on a processor."""


class Method(StrEnum):
    """How a network is asked which parts mattered to it."""

    GRAD_CAM = "grad_cam"
    """Selvaraju et al., ICCV 2017: the last maps, each weighed by its mean gradient."""
    HIRES_CAM = "hires_cam"
    """Draelos and Carin, arXiv:2011.08891: the last maps times their own gradients, cell by cell."""
    INTEGRATED_GRADIENTS = "integrated_gradients"
    """Sundararajan et al., ICML 2017: the pixels times the mean gradient on the way from an all-dark picture."""


class Tapped(nn.Module):
    """A network to be explained: the maps [N, C, h, w] that it ends in pass through `taps`, one each.

    Subclasses make one tap per map and write `forward`, pictures -> logits [N, n]. Made anew for each explanation, as
    captum hooks the taps.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.taps = nn.ModuleList(_Tap() for _ in range(count))


class _Tap(nn.Module):
    """Passes a map on as a tensor of its own, so that a gradient by it is that of the way through the tap alone."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The same numbers."""
        return maps.view_as(maps)


def asked(question: Question | None, codes: Sequence[str]) -> tuple[Method, str]:
    """The method (`Question.text`) and the one finding (`Question.phrases`) that an explanation is asked for.

    Raises:
        BadArguments: an unknown method, or no finding of the model.
    """
    method = question.text if question else ""
    if method not in list(Method):
        raise BadArguments(f"There is no saliency method {method!r}.", f"Methods: {', '.join(Method)}.")
    code = question.phrases[0] if question and len(question.phrases) == 1 else ""
    if code not in codes:
        raise BadArguments(f"The model has no output {code!r} to explain.", f"It has: {', '.join(codes)}.")
    return Method(method), code


def saliency(network: Tapped, pictures: torch.Tensor, index: int, method: Method, device: str) -> torch.Tensor:
    """What speaks for one output, float32 [h, w] in [0, 1] on the processor, the strongest part 1; all 0 if nothing.

    Args:
        network: the network.
        pictures: one picture as it sees it, [1, C, side, side].
        index: of the output among its logits.
        method: how.
        device: where it runs.
    """
    from captum.attr import IntegratedGradients

    network = network.to(device).eval()
    with differentiable(device):
        shown = pictures.to(device).detach().clone().requires_grad_(True)
        if method is Method.INTEGRATED_GRADIENTS:
            path = IntegratedGradients(network).attribute(
                shown, baselines=float(pictures.min()), target=index, n_steps=STEPS, internal_batch_size=STEPS_AT_ONCE
            )
            spoken = path.detach().float().sum(dim=1, keepdim=True)
        else:
            spoken = _by_layers(network, shown, index, method)
    positive = spoken[0, 0].clamp(min=0).cpu()
    highest = float(positive.max())
    return positive / highest if highest > 0 else positive


def _by_layers(network: Tapped, shown: torch.Tensor, index: int, method: Method) -> torch.Tensor:
    """Sum over the tapped maps of what each says, on the grid of the finest, [1, 1, h, w]."""
    from captum.attr import LayerGradCam, LayerGradientXActivation

    parts: list[torch.Tensor] = []
    for tap in network.taps:
        layer: Any = (LayerGradCam if method is Method.GRAD_CAM else LayerGradientXActivation)(network, tap)
        part = layer.attribute(shown, target=index).detach().float()
        parts.append(part.sum(dim=1, keepdim=True))
    size = max((part.shape[-2:] for part in parts), key=lambda shape: shape[0] * shape[1])
    grown = [
        functional.interpolate(part, size=size, mode="bilinear", align_corners=False)
        * (part.shape[-2] * part.shape[-1] / (size[0] * size[1]))
        for part in parts
    ]
    return torch.stack(grown).sum(dim=0)


__all__ = ["Method", "Tapped", "asked", "saliency"]
