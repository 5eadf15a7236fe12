"""The learning rate over a training."""

import math


def share_of_rate(step: int, steps: int, warm_up: float) -> float:
    """Share of the learning rate at a step: linear warm-up over that share of the steps, then a cosine to 0."""
    warm = max(1, int(warm_up * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
