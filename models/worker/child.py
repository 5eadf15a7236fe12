"""The child's side, and the frames that both sides write.

Runs in the model's own environment: standard library and numpy alone, Python 3.10 or later, nothing of Hilum.

A frame is MAGIC, the header's length (uint32, little-endian), the header (JSON), then the bytes of each array in the
order of the header's "arrays": [name, dtype, shape]. No pickle: a header can only say numbers and text, an array only
numbers. Whatever a header claims is checked before memory is taken for it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import struct
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

MAGIC = b"HLM1"
PREFIX = struct.Struct("<4sI")
MAX_HEADER_BYTES = 4 << 20
"""Text of questions and answers; a report has a few thousand bytes."""

MAX_ARRAYS = 64
MAX_DIMENSIONS = 4
MAX_ARRAY_BYTES = 1 << 30
"""All arrays of one frame: three films of 18,000 x 18,000 pixels at one byte each."""

DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")
"""What an array may hold; all of them plain numbers, little-endian."""

IMAGES = ("film", "lateral", "prior")
"""Fields of a request that hold films."""

Read = Callable[[memoryview], None]
Write = Callable[[memoryview], None]


class FrameError(Exception):
    """What came is no frame: says which rule it broke."""


def write_frame(write: Write, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Send a header and its arrays.

    Args:
        write: sends all bytes of a view.
        header: JSON-able; its key "arrays" is set here.
        arrays: numpy arrays by name, of DTYPES.

    Raises:
        FrameError: an array of another dtype, or more than a frame may hold.
    """
    named = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    listed = [[name, array.dtype.name, list(array.shape)] for name, array in named.items()]
    _sizes(listed)
    text = json.dumps({**header, "arrays": listed}).encode("utf-8")
    if len(text) > MAX_HEADER_BYTES:
        raise FrameError(f"a header of {len(text):,} bytes; at most {MAX_HEADER_BYTES:,}")
    write(memoryview(PREFIX.pack(MAGIC, len(text)) + text))
    for array in named.values():
        if array.size:
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            write(little.reshape(-1).view(np.uint8).data)


def read_frame(read: Read) -> tuple[dict[str, Any], dict[str, Any]]:
    """The next frame's header (without "arrays") and arrays by name.

    Args:
        read: fills a view completely, or raises EOFError.

    Raises:
        FrameError: it breaks a rule of the format; nothing after it can be trusted.
        EOFError: the other side has closed.
    """
    prefix = bytearray(PREFIX.size)
    read(memoryview(prefix))
    magic, length = PREFIX.unpack(bytes(prefix))
    if magic != MAGIC or length > MAX_HEADER_BYTES:
        raise FrameError(f"it begins with {magic!r} and claims a header of {length:,} bytes")
    text = bytearray(length)
    read(memoryview(text))
    try:
        header = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FrameError(f"its header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise FrameError("its header is no object")
    listed = header.pop("arrays", None)
    arrays = {}
    for (name, dtype, shape), size in zip(listed or [], _sizes(listed), strict=True):
        array = np.empty(size, np.uint8)
        if size:
            read(array.data)
        arrays[name] = array.view(np.dtype(dtype).newbyteorder("<")).reshape(shape)
    return header, arrays


def _sizes(listed: Any) -> list[int]:
    """Bytes of each array that a header lists; FrameError unless the list keeps every rule."""
    if not isinstance(listed, list) or len(listed) > MAX_ARRAYS:
        raise FrameError(f'"arrays" is no list of at most {MAX_ARRAYS} arrays')
    sizes, names = [], set()
    for item in listed:
        if not (isinstance(item, list) and len(item) == 3 and isinstance(item[0], str) and item[0] not in names):
            raise FrameError("an array is not [name, dtype, shape], or a name comes twice")
        name, dtype, shape = item
        if dtype not in DTYPES:
            raise FrameError("array {!r} is of dtype {!r}; allowed: {}".format(name, dtype, ", ".join(DTYPES)))
        if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
            raise FrameError(f"array {name!r} has a shape of more than {MAX_DIMENSIONS} numbers")
        size = np.dtype(dtype).itemsize
        for length in shape:
            if type(length) is not int or not 0 <= length <= MAX_ARRAY_BYTES:
                raise FrameError(f"array {name!r} has the shape {shape!r}")
            size *= length
        names.add(name)
        sizes.append(size)
    if sum(sizes) > MAX_ARRAY_BYTES:
        raise FrameError(f"arrays of {sum(sizes):,} bytes; at most {MAX_ARRAY_BYTES:,}")
    return sizes


def serve(runner: Any, read: Read, write: Write) -> None:
    """Load a model and answer until the other side closes; what fails is told and the next request waited for."""
    model = None
    while True:
        try:
            header, arrays = read_frame(read)
        except EOFError:
            return
        try:
            if header["do"] == "load":
                model = runner.load(header["folder"], header["device"], header["dtype"], header["trust_remote_code"])
                write_frame(write, {"is": "ready", "python": platform.python_version(), "numpy": np.__version__}, {})
            else:
                outputs = runner.answer(model, header["task"], [_request(item, arrays) for item in header["requests"]])
                write_frame(write, *_split(outputs))
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent tells it
            traceback.print_exc()
            sys.stderr.flush()
            memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
            told = {"is": "error", "type": type(error).__name__, "text": str(error)[:2000], "memory": memory}
            write_frame(write, told, {})


def _request(item: dict[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """A request with its films in place of their names."""
    films = {field: arrays[item[field]] if item.get(field) else None for field in IMAGES}
    return {**item, **films}


def _split(outputs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(header, arrays) of a runner's outputs: each array under its output's number and its field."""
    arrays, headers = {}, []
    for number, output in enumerate(outputs):
        arrays.update({f"{number}.{key}": v for key, v in output.items() if isinstance(v, np.ndarray)})
        headers.append({key: value for key, value in output.items() if not isinstance(value, np.ndarray)})
    return {"is": "outputs", "outputs": headers}, arrays


def _keep_pipe() -> tuple[int, int]:
    """The pipe's two ends under numbers of their own; what anyone prints goes to stderr from now on."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, sink


def _first_to_go() -> None:
    """No core dumps (they would hold films), and the kernel takes this process first where memory runs out."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write("1000")
    except (ImportError, OSError, ValueError):
        pass  # not Linux: the parent's own watch remains


def main() -> None:
    """Serve the runner whose file is named on the command line."""
    source, sink = _keep_pipe()
    _first_to_go()
    spec = importlib.util.spec_from_file_location("hilum_runner", sys.argv[1])
    if spec is None or spec.loader is None:
        raise SystemExit(f"{sys.argv[1]} is no Python file")
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)

    def read(view: memoryview) -> None:
        done = 0
        while done < len(view):
            count = os.readv(source, [view[done:]])
            if not count:
                raise EOFError
            done += count

    def write(view: memoryview) -> None:
        done = 0
        while done < len(view):
            done += os.write(sink, view[done:])

    serve(runner, read, write)


if __name__ == "__main__":
    main()
