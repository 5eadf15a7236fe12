"""What a user tells of a patient, read as facts, and how each fact moves a differential of chest disease.

The weights and their sources are in tools/knowledge/differential.toml."""

from tools.weighing.facts import Fact, facts_in
from tools.weighing.ranking import Ranked, missing, ranked
from tools.weighing.weights import Move, weights

__all__ = ["Fact", "Move", "Ranked", "facts_in", "missing", "ranked", "weights"]
