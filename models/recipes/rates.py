"""The learning rate over a training, one step of it, and a training that can be broken off."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import swa_utils

LONGEST_GRADIENT = 1.0
"""Norm to which gradients are clipped."""


def share_of_rate(step: int, steps: int, warm_up: float, level: float = 0.0) -> float:
    """Share of the learning rate at a step: linear warm-up over `warm_up` of the steps, full to `level` of them, then a
    cosine to 0."""
    warm = max(1, int(warm_up * steps))
    if step < warm:
        return (step + 1) / warm
    first = max(warm, int(level * steps))
    return 0.5 * (1 + math.cos(math.pi * max(0, step - first) / max(1, steps - first)))


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


class Course:
    """A training by AdamW with a moving average of the weights; its state can be kept in a file and taken up again."""

    def __init__(
        self, network: nn.Module, steps: int, rate: float, *, weight_decay: float, average_decay: float,
        warm_up: float, level: float = 0.0,
    ) -> None:  # fmt: skip
        self.learnt = [weight for weight in network.parameters() if weight.requires_grad]
        self.average = swa_utils.AveragedModel(
            network, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(average_decay), use_buffers=True
        )
        self.optimiser = torch.optim.AdamW(self.learnt, lr=rate, weight_decay=weight_decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: share_of_rate(step, steps, warm_up, level)
        )
        self.network, self.step = network, 0

    def learn(self, loss: torch.Tensor) -> None:
        """One step down a loss."""
        descend(loss, self.learnt, self.optimiser, self.schedule)
        self.average.update_parameters(self.network)
        self.step += 1

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("network", "average", "optimiser", "schedule")}

    def keep(self, kept: Path, **beside: torch.Tensor) -> None:
        """Store the state, and what is given beside it."""
        state = {name: part.state_dict() for name, part in self._parts().items()}
        torch.save({**state, "step": self.step, "beside": beside}, kept.with_suffix(".part"))
        kept.with_suffix(".part").replace(kept)

    def take_up(self, kept: Path) -> dict[str, torch.Tensor]:
        """Go on from a kept state where there is one; gives what was stored beside it."""
        if not kept.exists():
            return {}
        held = torch.load(kept, weights_only=True)
        for name, part in self._parts().items():
            part.load_state_dict(held[name])
        self.step = held["step"]
        beside: dict[str, torch.Tensor] = held["beside"]
        return beside
