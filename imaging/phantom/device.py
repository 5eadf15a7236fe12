"""The march on a GPU: the same shapes as `exposure`, asked with arrays that live on a torch device.

`DeviceArray` answers NumPy's own functions (NEP 13 and NEP 18: `__array_ufunc__`, `__array_function__`), so that every
shape and lesion is written once. This module imports torch; import it only where a device is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.mixins import NDArrayOperatorsMixin

from imaging.failures import BadArguments, Unavailable
from imaging.phantom.body import Body
from imaging.phantom.exposure import (
    COARSE_PIXELS,
    FAR_MM,
    Maps,
    Run,
    distances,
    finish,
    layer,
    planes,
    points,
    softness,
)
from imaging.phantom.lesions import Lesion
from imaging.phantom.projection import Geometry

Array = npt.NDArray[np.float32]

BLOCK = 32
"""Slices worked out at once: some 40 arrays of 32 x 400 x 400 numbers, about 0.8 GB of device memory."""

ONE_FILM = Lock()
"""Films take turns on the device, so that its memory does not grow with the threads that make films."""


class DeviceArray(NDArrayOperatorsMixin):
    """A torch tensor that NumPy's functions accept; NumPy arrays it meets are brought to its device as float32.

    Only what the phantom's shapes use is there; all else, a silent copy to the host above all, raises TypeError.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an ndarray."""
        return tuple(self.tensor.shape)

    @property
    def ndim(self) -> int:
        """As of an ndarray."""
        return self.tensor.ndim

    def __getitem__(self, key: Any) -> DeviceArray:
        return DeviceArray(self.tensor[key])

    def __array__(self, *_: Any, **__: Any) -> npt.NDArray[Any]:
        raise TypeError("np.asarray would copy this DeviceArray to the host; use its astype.")

    def astype(self, dtype: npt.DTypeLike, copy: bool = True) -> DeviceArray:
        """As of an ndarray; float32 and bool alone.

        Args:
            dtype: of the result.
            copy: whether to copy what has that dtype already.
        """
        kinds = {np.dtype(np.float32): torch.float32, np.dtype(np.bool_): torch.bool}
        return DeviceArray(self.tensor.to(kinds[np.dtype(dtype)], copy=copy))

    def any(self) -> bool:
        """Whether anything is true; waits for the device."""
        return bool(self.tensor.any())

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        call = UFUNCS.get(ufunc)
        if call is None or method != "__call__" or options:
            return NotImplemented
        return DeviceArray(call(*(self._operand(value) for value in inputs)))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        call = FUNCTIONS.get(func)
        if call is None:
            return NotImplemented
        return DeviceArray(call(*(self._operand(value) for value in args), **kwargs))

    def _operand(self, value: Any) -> Any:
        """The value as torch takes it: a tensor on this device, or a Python number."""
        if isinstance(value, DeviceArray):
            return value.tensor
        if isinstance(value, np.ndarray) and value.ndim:
            return torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32)).to(self.tensor.device)
        if isinstance(value, (np.generic, np.ndarray)):
            return value.item()
        return value


def _maximum(a: Any, b: Any) -> torch.Tensor:
    """Larger of tensors, or of a tensor and a number."""
    if not isinstance(a, torch.Tensor):
        a, b = b, a
    return torch.maximum(a, b) if isinstance(b, torch.Tensor) else a.clamp(min=b)


def _minimum(a: Any, b: Any) -> torch.Tensor:
    """Smaller of tensors, or of a tensor and a number."""
    if not isinstance(a, torch.Tensor):
        a, b = b, a
    return torch.minimum(a, b) if isinstance(b, torch.Tensor) else a.clamp(max=b)


UFUNCS: dict[np.ufunc, Callable[..., torch.Tensor]] = {
    np.add: torch.add, np.subtract: torch.sub, np.multiply: torch.mul, np.divide: torch.div, np.power: torch.pow,
    np.negative: torch.neg, np.absolute: torch.abs, np.sqrt: torch.sqrt, np.exp: torch.exp, np.sin: torch.sin,
    np.cos: torch.cos, np.remainder: torch.remainder, np.maximum: _maximum, np.minimum: _minimum,
    np.less: torch.lt, np.greater: torch.gt, np.logical_and: torch.logical_and,
}  # fmt: skip
FUNCTIONS: dict[Any, Callable[..., torch.Tensor]] = {
    np.clip: torch.clamp, np.where: torch.where, np.full_like: torch.full_like, np.ones_like: torch.ones_like,
}  # fmt: skip


def expose_on(
    device: torch.device, body: Body, lesions: list[Lesion], geometry: Geometry, grid: int | None = None
) -> Maps:
    """`exposure.expose` on a torch device; float32 rounds differently there, so maps agree to about 1e-5 of themselves.

    Args:
        device: where to march.
        body, lesions, geometry, grid: as `expose` takes them.
    """
    grid = grid or min(geometry.size, COARSE_PIXELS)
    at = planes(body, geometry)
    with ONE_FILM, torch.inference_mode():
        runs = [
            _march_on(device, body, lesions, geometry, grid, at[first : first + BLOCK + 1])
            for first in range(0, len(at) - 1, BLOCK)
        ]
    return finish(runs, geometry, grid)


def _march_on(
    device: torch.device, body: Body, lesions: list[Lesion], geometry: Geometry, grid: int, run: list[float]
) -> Run:
    """One run of slices, all at once."""
    x, y, z = (np.stack(line) for line in zip(*(points(body, geometry, plane, grid) for plane in run), strict=True))

    def lift(values: Array) -> Array:
        return cast(Array, DeviceArray(torch.from_numpy(values).to(device)))

    # y [N, G, 1] stays on the host: the curves over height are SciPy's. What mixes it with x or z is on the device.
    here = (lift(x), y, lift(z))
    shape = (len(run), grid, grid)
    d = {name: _tensor(part, device).expand(shape) for name, part in distances(body, lesions, *here).items()}
    below, above = (
        {k: cast(Array, DeviceArray(v[part])) for k, v in d.items()} for part in (slice(-1), slice(1, None))
    )
    ahead = tuple(values[1:] for values in here)
    filled, lung = layer(below, above, softness(geometry, grid), lesions, body, cast(Any, ahead))
    return Run(
        {name: _host(_tensor(share, device).sum(0)) for name, share in filled.items()},
        _host(_tensor(lung, device).sum(0)),
        {name: _host(value.amin(0).clamp(max=float(FAR_MM))) for name, value in d.items()},
    )


def _tensor(values: Any, device: torch.device) -> torch.Tensor:
    return values.tensor if isinstance(values, DeviceArray) else torch.from_numpy(values).to(device)


def _host(values: torch.Tensor) -> Array:
    result: Array = values.cpu().numpy()
    return result


def find_device(name: str) -> torch.device:
    """The torch device of that name ('cuda', 'cuda:1', 'mps').

    Raises:
        BadArguments: torch knows no such device.
        Unavailable: it is not there.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadArguments(f"torch knows no device {name!r}.", "Give 'cpu', 'cuda' or 'cuda:N'.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise Unavailable(f"device {name!r} is not there: torch finds {found} CUDA devices.", "Take device 'cpu'.")
    try:
        torch.zeros(1, device=device).cpu()
    except (AssertionError, NotImplementedError, RuntimeError) as error:  # torch has no one error for a missing device
        raise Unavailable(f"device {name!r} cannot be used: {str(error)[:120]}", "Take device 'cpu'.") from error
    return device
