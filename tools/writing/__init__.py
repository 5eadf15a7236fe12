"""What a language model wrote of a film, read statement by statement and held against what the classifier says.

Shared by the tools that ask such models (report, vqa). The text is data: it is read, quoted and never followed."""

from tools.writing.held import Written, held_against, quoted

__all__ = ["Written", "held_against", "quoted"]
