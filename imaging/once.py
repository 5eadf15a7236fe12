"""What is computed of a film's pixels once, while somebody holds them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy.typing as npt

Value = TypeVar("Value")


def once_per_array(function: Callable[[npt.NDArray[Any]], Value]) -> Callable[[npt.NDArray[Any]], Value]:
    """Remember what a function gives for a read-only array until the array is gone.

    Films' pixels are read-only and pass by identity from tool to tool. An array that can be written is computed anew
    each time. Safe between threads: two that ask at once both compute.
    """
    kept: dict[int, tuple[weakref.ref[npt.NDArray[Any]], Value]] = {}

    @wraps(function)
    def once(pixels: npt.NDArray[Any]) -> Value:
        if pixels.flags.writeable:
            return function(pixels)
        key = id(pixels)
        known = kept.get(key)
        if known is None or known[0]() is not pixels:
            known = kept[key] = weakref.ref(pixels, lambda _: kept.pop(key, None)), function(pixels)
        return known[1]

    return once


__all__ = ["once_per_array"]
