"""The learning rate over a training, and one step of it."""

import math
from collections.abc import Iterable

import torch
from torch import nn

LONGEST_GRADIENT = 1.0
"""Norm to which gradients are clipped."""


def share_of_rate(step: int, steps: int, warm_up: float) -> float:
    """Share of the learning rate at a step: linear warm-up over that share of the steps, then a cosine to 0."""
    warm = max(1, int(warm_up * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def descend(
    loss: torch.Tensor,
    learnt: Iterable[nn.Parameter],
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> None:
    """One step down a loss, its gradients clipped, and one of the rate's schedule."""
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(learnt, LONGEST_GRADIENT)
    optimiser.step()
    schedule.step()
