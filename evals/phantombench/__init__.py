"""PhantomBench: multiple-choice questions in the manner of ChestAgentBench on synthetic films with exact truth."""

from evals.phantombench.bench import TRACKS, load

__all__ = ["TRACKS", "load"]
