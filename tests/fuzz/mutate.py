"""Damaged films by the thousand: each must open or raise FilmRefused, in time and within memory.

    python tests/fuzz/mutate.py --count 20000 --seed 0

Seeds are files written here (every transfer syntax that can be written, every picture format, archives) and, where
they are, the real odd files beside the checkout (at most 256 KiB each, so that the count is spent on variety).
Mutation i depends on --seed and i alone: a case that fails is made again with --only i. Workers are processes of
their own under a limit of address space; one that dies or hangs is a failure of its case and is replaced.

Prints one JSON line; exit status 1 when any case failed.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import multiprocessing
import os
import random
import resource
import statistics
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "unit" / "imaging")]

import films  # noqa: E402 - the tests' own writer of films
from pydicom.uid import (  # noqa: E402
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from imaging import open_film  # noqa: E402
from imaging.deidentify import deidentify_bytes  # noqa: E402
from imaging.failures import FilmRefused  # noqa: E402
from imaging.refusals import REFUSALS  # noqa: E402
from imaging.sources import zip_contents  # noqa: E402

LIMIT_S = 5.0
"""Seconds of processor time a case may take; it hangs when it has not answered in four times as many by the clock."""

MEMORY_LIMIT_BYTES = 2 << 30
"""Above what the interpreter and its libraries take on import: a film of 100 megapixels needs 0.4 GB a copy."""

TRIES = 3
"""Times a case is tried before it counts as failed."""

LARGEST_SEED_BYTES = 256 << 10
OWN_SHARE = 0.5
"""Of the cases, start from a file written here; the others from a real one."""

KEY = b"fuzz"

Mutation = Callable[[bytearray, random.Random], bytearray]


def own_seeds() -> dict[str, bytes]:
    """Files written here, small and valid."""
    grey = films.ramp(8).astype(np.uint8)
    colour = np.stack([grey, grey.T, grey], axis=-1)
    rich = {
        "PatientName": "A^B", "PatientID": "7", "StudyDate": "20200101", "PixelSpacing": [0.2, 0.2],
        "WindowCenter": [2000, 1000], "WindowWidth": [4000, 900], "ViewPosition": "PA", "PixelPaddingValue": 0,
        "RescaleSlope": 2, "RescaleIntercept": -5, "PatientAge": "040Y",
    }  # fmt: skip
    seeds = {
        "explicit.dcm": films.part10(films.dataset(**rich)),
        "implicit.dcm": films.bare(films.dataset(**rich)),
        "big.dcm": films.big_endian(films.dataset()),
        "signed.dcm": films.part10(films.dataset(films.ramp() // 2, signed=True)),
        "colour.dcm": films.part10(films.dataset(colour, bits=8)),
        "voi.dcm": films.part10(films.dataset(VOILUTSequence=films.table(list(range(0, 4096, 16)), 0, 12))),
        "modality.dcm": films.part10(films.dataset(ModalityLUTSequence=films.table(list(range(256)), 0, 16, True))),
    }
    deflated = films.dataset(**rich)
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    seeds["deflated.dcm"] = films.part10(deflated)
    for name, syntax, options in (
        ("rle", RLELossless, {}),
        ("jls", JPEGLSLossless, {}),
        ("jlsn", JPEGLSNearLossless, {"jls_error": 2}),
        ("j2k", JPEG2000Lossless, {}),
        ("j2kl", JPEG2000, {"j2k_cr": [10]}),
    ):
        seeds[f"{name}.dcm"] = films.compressed(films.dataset(**rich), syntax, **options)
    for kind in ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "JPEG2000"):
        seeds[f"grey.{kind.lower()}"] = films.picture(grey, kind)
    seeds["wide.png"] = films.picture(films.ramp())
    seeds["wide.tiff"] = films.picture(films.ramp(), "TIFF", compression="tiff_adobe_deflate")
    seeds["colour.jpeg"] = films.picture(colour, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")
    seeds["palette.png"] = films.picture(Image.fromarray(colour).convert("P"))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", seeds["explicit.dcm"])
        archive.writestr("b.png", seeds["grey.png"])
    seeds["films.zip"] = stream.getvalue()
    return seeds


def real_seeds() -> dict[str, bytes]:
    """The real odd files beside the checkout that are small enough; none where there are none."""
    folder = Path(os.environ.get("HILUM_TEST_DATA", ROOT.parent / "shared" / "data")) / "dicom"
    if not folder.is_dir():
        return {}
    paths = [path for path in sorted(folder.iterdir()) if 0 < path.stat().st_size <= LARGEST_SEED_BYTES]
    return {f"real/{path.name}": as_radiograph(path.read_bytes()) for path in paths}


def as_radiograph(data: bytes) -> bytes:
    """A file whose Modality says CR in place of two other letters, so that its decoder is reached at all."""
    for start in (b"\x08\0\x60\0CS\x02\0", b"\x08\0\x60\0\x02\0\0\0", b"\0\x08\0\x60CS\0\x02"):
        place = data.find(start)
        if place >= 0:
            place += len(start)
            return data[:place] + b"CR" + data[place + 2 :]
    return data


def flip(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def header_bytes(data: bytearray, rng: random.Random) -> bytearray:
    """Other values in the first kilobytes, where the structure is."""
    for _ in range(rng.choice((1, 2, 4, 16))):
        data[rng.randrange(min(len(data), 2048))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return data


def cut(data: bytearray, rng: random.Random) -> bytearray:
    return data[: rng.randrange(len(data))]


def lengths(data: bytearray, rng: random.Random) -> bytearray:
    """A 16- or 32-bit field set to a value that programs trip over."""
    width = rng.choice((2, 4))
    if len(data) <= width:
        return data
    place = rng.randrange(min(len(data) - width, 4096))
    number = rng.choice((0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE))
    order = rng.choice("<>")
    data[place : place + width] = struct.pack(f"{order}{'H' if width == 2 else 'I'}", number & ((1 << 8 * width) - 1))
    return data


def move(data: bytearray, rng: random.Random) -> bytearray:
    """A stretch doubled, dropped, or copied elsewhere."""
    start = rng.randrange(len(data))
    piece = data[start : start + rng.choice((1, 2, 8, 64, 512))]
    place = rng.randrange(len(data))
    how = rng.randrange(3)
    if how == 0:
        data[place:place] = piece * rng.choice((1, 2, 100))
    elif how == 1:
        del data[start : start + len(piece)]
    else:
        data[place : place + len(piece)] = piece
    return data


def image_elements(data: bytearray, rng: random.Random) -> bytearray:
    """A lie in Rows, Columns, Bits and their like (group 0028) of a DICOM file."""
    places = [place for place in range(0, min(len(data) - 10, 8192)) if data[place : place + 2] == b"\x28\0"]
    if not places:
        return lengths(data, rng)
    place = rng.choice(places) + rng.choice((2, 4, 6, 8))
    data[place : place + 2] = struct.pack("<H", rng.choice((0, 1, 3, 7, 8, 15, 16, 17, 32, 33, 255, 4096, 65535)))
    return data


def syntax(data: bytearray, rng: random.Random) -> bytearray:
    """Another transfer syntax than the one the data are in."""
    place = data.find(b"1.2.840.10008.1.2")
    if place < 0:
        return flip(data, rng)
    other = rng.choice((b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0", b"1.2.840.10008.1.2.5\0"))
    data[place : place + len(other)] = other
    return data


def splice(data: bytearray, rng: random.Random, other: bytes) -> bytearray:
    """The head of one seed and the tail of another."""
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


MUTATIONS: tuple[Mutation, ...] = (
    flip,
    header_bytes,
    header_bytes,
    cut,
    lengths,
    lengths,
    move,
    image_elements,
    syntax,
)


def case(index: int, seed: int, seeds: dict[str, bytes]) -> tuple[str, bytes]:
    """(name of the seed file, mutated bytes) of one case."""
    rng = random.Random(f"{seed}:{index}")
    own = rng.random() < OWN_SHARE
    name = rng.choice(sorted(each for each in seeds if own != each.startswith("real/")) or sorted(seeds))
    data = bytearray(seeds[name])
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if data:
            if rng.random() < 0.05:
                data = splice(data, rng, seeds[rng.choice(sorted(seeds))])
            else:
                data = rng.choice(MUTATIONS)(data, rng)
    return name, bytes(data)


def outcome_of(data: bytes) -> str:
    """ "opened", the kind of refusal, or what went wrong. Films that open are de-identified too; archives unpacked."""
    try:
        if data[:4] == b"PK\x03\x04":
            inside = [content.refused.kind if content.refused else "read" for content in zip_contents("a", data)]
            return f"zip {max(inside)}" if inside else "FAILED zip without content"
        open_film(data)
    except FilmRefused as refused:
        return refused.kind if refused.kind in REFUSALS else f"FAILED unknown kind {refused.kind}"
    except Exception as error:  # noqa: BLE001 - that nothing else is raised is what is tested
        return f"FAILED {type(error).__name__}: {error}"[:200]
    try:
        deidentify_bytes(data, KEY)
    except FilmRefused as refused:
        return f"opened, de-identifying refused: {refused.kind}"
    except Exception as error:  # noqa: BLE001
        return f"FAILED in de-identifying {type(error).__name__}: {error}"[:200]
    return "opened"


class Outcome(NamedTuple):
    """What came of one case: seed file, words, seconds by the clock and of the processor, largest resident KiB."""

    name: str
    said: str
    seconds: float
    cpu_seconds: float = 0.0
    peak_kib: int = 0


def worker(pipe: Connection, seed: int, memory: int) -> None:
    """Cases by index until None comes."""
    os.environ["PATH"] = ""  # Else tesseract, where it is installed, starts for each film and takes most of the time.
    seeds = {**own_seeds(), **real_seeds()}
    for data in seeds.values():
        outcome_of(data)  # loads every codec before the limit is set
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    pipe.send(None)
    while (index := pipe.recv()) is not None:
        name, data = case(index, seed, seeds)
        begin, cpu = time.perf_counter(), time.process_time()
        said = outcome_of(data)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        pipe.send(Outcome(name, said, time.perf_counter() - begin, time.process_time() - cpu, peak))


class Runner:
    """One worker process, replaced when a case hangs or kills it."""

    def __init__(self, seed: int, memory: int) -> None:
        self.seed, self.memory, self.repeated = seed, memory, 0
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=worker, args=(other, self.seed, self.memory), daemon=True)
        self.process.start()
        other.close()
        self.pipe.recv()

    def run(self, index: int) -> Outcome:
        """One case, failed when it takes longer than the limit, hangs, or kills its process, each time it is tried.

        A machine that does other work at the same time can hold up any case.
        """
        for _ in range(TRIES):
            found = self.once(index)
            if not found.said.startswith("FAILED"):
                break
            self.repeated += 1
        return found

    def once(self, index: int) -> Outcome:
        """One case, tried once."""
        self.pipe.send(index)
        try:
            if self.pipe.poll(LIMIT_S * 4):
                found: Outcome = self.pipe.recv()
                if found.cpu_seconds > LIMIT_S:
                    return found._replace(said=f"FAILED took {found.cpu_seconds:.1f} s ({found.said})")
                return found
            said, seconds = f"FAILED hung for {LIMIT_S * 4:.0f} s", LIMIT_S * 4
        except EOFError:
            said, seconds = "FAILED the process died", 0.0
        self.process.kill()
        self.process.join()
        said += f" (exit {self.process.exitcode})"
        self.start()
        return Outcome(case(index, self.seed, {**own_seeds(), **real_seeds()})[0], said, seconds)

    def stop(self) -> None:
        self.pipe.send(None)
        self.process.join()


def fuzz(count: int, seed: int, start: int = 0, memory: int = MEMORY_LIMIT_BYTES) -> dict[str, Any]:
    """Run cases start to start + count; the figures as JSON-ready values."""
    runner = Runner(seed, memory)
    begin = time.perf_counter()
    found = [runner.run(index) for index in range(start, start + count)]
    runner.stop()
    failures = [
        {"case": start + place, "seed_file": each.name, "outcome": each.said}
        for place, each in enumerate(found)
        if each.said.startswith("FAILED")
    ]
    slowest = max(range(count), key=lambda place: found[place].seconds)
    words = ("FAILED" if each.said.startswith("FAILED") else each.said for each in found)
    return {
        "count": count,
        "seed": seed,
        "start": start,
        "own_seeds": len(own_seeds()),
        "real_seeds": len(real_seeds()),
        "outcomes": dict(collections.Counter(words).most_common()),
        "failed": len(failures),
        "tried_again": runner.repeated,
        "failures": failures[:50],
        "median_s": round(statistics.median(each.seconds for each in found), 4),
        "slowest_s": round(found[slowest].seconds, 3),
        "slowest_case": start + slowest,
        "slowest_seed_file": found[slowest].name,
        "slowest_cpu_s": round(max(each.cpu_seconds for each in found), 3),
        "limit_s": LIMIT_S,
        "memory_limit_mib": memory >> 20,
        "largest_resident_mib": max(each.peak_kib for each in found) >> 10,
        "wall_s": round(time.perf_counter() - begin, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0, help="index of the first case")
    parser.add_argument("--only", type=int, help="make one case again and write its bytes to --out")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.only is not None:
        name, data = case(arguments.only, arguments.seed, {**own_seeds(), **real_seeds()})
        if arguments.out:
            arguments.out.write_bytes(data)
        print(json.dumps({"case": arguments.only, "seed_file": name, "bytes": len(data), "outcome": outcome_of(data)}))
        return 0
    figures = fuzz(arguments.count, arguments.seed, arguments.start)
    print(json.dumps(figures))
    return 1 if figures["failed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
