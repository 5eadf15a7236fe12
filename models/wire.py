"""Outputs as JSON and arrays: the form in which they cross a pipe or lie on disk. Never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from models import outputs
from models.outputs import Output

Arrays = dict[str, npt.NDArray[Any]]


def encode(output: Output) -> tuple[dict[str, Any], Arrays]:
    """(header, arrays) of an output: the header is JSON-able, and every array of the output is named by its field."""
    header: dict[str, Any] = {"kind": type(output).__name__}
    arrays: Arrays = {}
    for item in fields(output):
        value = getattr(output, item.name)
        if isinstance(value, np.ndarray):
            arrays[item.name] = value
        else:
            header[item.name] = value
    return header, arrays


def decode(header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Output:
    """The output of a header and its arrays.

    Raises:
        ValueError: the header names no output class, or its fields are not that class's.
    """
    kind = getattr(outputs, str(header.get("kind")), None)
    if kind not in outputs.KINDS:
        raise ValueError(f"{header.get('kind')!r} is no output; known: {', '.join(k.__name__ for k in outputs.KINDS)}")
    values = {name: _tuples(value) for name, value in header.items() if name != "kind"} | dict(arrays)
    expected = {item.name for item in fields(kind)}
    if set(values) != expected:
        raise ValueError(f"{kind.__name__} has fields {sorted(expected)}, not {sorted(values)}")
    made: Output = kind(**values)
    return made


def _tuples(value: Any) -> Any:
    """JSON's lists as tuples, all the way down: outputs are frozen."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
