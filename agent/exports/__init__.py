"""Reports as files for other people and systems: Markdown, JSON, CSV, PDF, FHIR, and DICOM objects for a PACS.

May import the agent's answer, draft and session types; no planner and no tool. Everything that leaves here carries who
wrote it, with models and revisions, and UNVERIFIED DRAFT until a reader has signed (agent.draft).
"""

from agent.exports.material import SourceMissing
from agent.exports.writing import FORMATS, Format, export

__all__ = ["FORMATS", "Format", "SourceMissing", "export"]
