"""What is computed of an array once is computed anew for every other one, and forgotten with it."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import numpy.typing as npt

from imaging.once import once_per_array


def read_only(value: float) -> npt.NDArray[np.float32]:
    pixels = np.full((4, 4), value, np.float32)
    pixels.flags.writeable = False
    return pixels


def test_read_only_array_is_computed_once_and_not_held() -> None:
    seen: list[float] = []

    @once_per_array
    def total(pixels: npt.NDArray[np.float32]) -> float:
        seen.append(float(pixels[0, 0]))
        return float(pixels.sum())

    first, second = read_only(1), read_only(2)
    assert [total(first), total(second), total(first)] == [16, 32, 16] and seen == [1, 2]
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
    for value in range(3, 40):  # new arrays take the place of the old one in memory
        assert total(read_only(value)) == 16 * value


def test_array_that_can_be_written_is_computed_each_time() -> None:
    pixels = np.zeros((2, 2), np.float32)
    total = once_per_array(lambda given: float(given.sum()))
    assert total(pixels) == 0
    pixels += 1
    assert total(pixels) == 4
