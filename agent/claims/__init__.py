"""Checked answers: each statement of a text is held against the evidence it cites before anyone reads it.

Works alike on an LLM's words and on the embedded planner's. May import the ledger, the mentions and the ontology."""

from agent.claims.check import Checked, check
from agent.claims.judging import Judge
from agent.claims.urgent import urgent

__all__ = ["Checked", "Judge", "check", "urgent"]
