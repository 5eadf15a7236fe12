"""How a finding is looked for that no classifier was trained on: by a checklist of concepts, each scored by itself.

Imports tools.classify and models; the tool `zero_shot` imports it."""

from tools.zero.checklist import Item, listed_items
from tools.zero.scoring import Scored, by_findings, by_words, stands_for
from tools.zero.verdict import Verdict, verdict_of

__all__ = ["Item", "Scored", "Verdict", "by_findings", "by_words", "listed_items", "stands_for", "verdict_of"]
