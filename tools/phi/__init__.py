"""Protected health information in text: where it stands, and stand-ins for it. Rules and lists; no network."""

from tools.phi.spans import Span, spans
from tools.phi.surrogates import CleanText, Removed, deidentified

__all__ = ["CleanText", "Removed", "Span", "deidentified", "spans"]
