"""A drafted report: what the other tools found of a study, said in one of two styles and five languages.

`evidence` gathers, `draft` decides what is said in which section, `wording` says it (words/*.toml). Each sentence keeps
the tools, the finding and the places that it rests on. May import the tools that a report is made of."""

from tools.reporting.draft import Draft, drafted
from tools.reporting.evidence import Evidence, gather
from tools.reporting.sentences import Section, Sentence
from tools.reporting.wording import Style, Wording

__all__ = ["Draft", "Evidence", "Section", "Sentence", "Style", "Wording", "drafted", "gather"]
