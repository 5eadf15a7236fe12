"""`python -m evals.speed NAME [--films N] [--json]`: run one bench; the last line of stdout is its result as JSON.

`python -m evals.speed suite [NAME...] --out FILE` runs several and keeps their results.
"""

from __future__ import annotations

import argparse
import json
import logging
import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path

import evals.speed
from evals.speed.measured import Measured
from imaging.failures import LIKE_ENOUGH, nearest

NOT_BENCHES = {"__main__", "films", "measured", "suite"}
SIZES = ("films", "vectors")
"""What a bench may be sized in."""
EXIT_BAD_ARGUMENTS = 2
EXIT_UNAVAILABLE = 4


def benches() -> list[str]:
    """Names of the benches: every module of this package that is one."""
    return sorted(
        module.name for module in pkgutil.iter_modules(evals.speed.__path__) if module.name not in NOT_BENCHES
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench that the command line names; returns the exit code.

    Args:
        arguments: those of the process when left out.
    """
    from imaging.failures import Unavailable

    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["suite"]:
        return _suite(words[1:])
    parser = argparse.ArgumentParser(prog="python -m evals.speed", description="One ratio against a named baseline.")
    parser.add_argument("name", help=f"one of: {', '.join(benches())}")
    parser.add_argument("--films", type=int, help="how many films, sessions or asks, where the bench can be sized")
    parser.add_argument("--vectors", type=int, help="how many vectors, of the retrieval bench")
    parser.add_argument("--json", action="store_true", help="JSON on stdout and nothing on stderr")
    given = parser.parse_args(words)
    if given.name not in benches():
        guess = nearest(given.name, benches(), LIKE_ENOUGH)
        print(f"There is no bench {given.name!r}. {guess}There are: {', '.join(benches())}.", file=sys.stderr)
        return EXIT_BAD_ARGUMENTS
    if not given.json:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
        logging.getLogger("httpx").setLevel(logging.WARNING)
    bench = import_module(f"evals.speed.{given.name}")
    sizes = {name: size for name in SIZES if (size := getattr(given, name)) is not None}
    for name in sizes:
        if name not in signature(bench.measure).parameters:
            print(f"The bench {given.name!r} is not sized in {name}; leave --{name} out.", file=sys.stderr)
            return EXIT_BAD_ARGUMENTS
    try:
        measured: Measured = bench.measure(**sizes)
    except Unavailable as failure:
        print(failure, file=sys.stderr)
        return EXIT_UNAVAILABLE
    if not given.json:
        for name, side in (("baseline", measured.baseline), ("candidate", measured.candidate)):
            print(f"{name}: {side.what}: {side.median_s:.3f} {side.unit} (of {len(side.seconds)})", file=sys.stderr)
        print(f"ratio {measured.ratio:.2f}", file=sys.stderr)
    print(json.dumps(measured.to_json(given.name)))
    return 0


def _suite(words: Sequence[str]) -> int:
    from evals.speed.suite import run_suite
    from imaging.failures import BadArguments

    parser = argparse.ArgumentParser(prog="python -m evals.speed suite", description="Several benches, kept in a file.")
    parser.add_argument("names", nargs="*", help="which; all when left out")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of results; others in it stay")
    given = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        ran = run_suite(given.names, given.out)
    except BadArguments as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_ARGUMENTS
    print(json.dumps({"ran": ran, "out": str(given.out)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
