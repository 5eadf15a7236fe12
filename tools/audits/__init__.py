"""Audits of classifiers: what one found, where it is kept, and its tables. `evals.audit` makes them."""

from tools.audits.report import (
    FOLDER,
    Attribute,
    Audit,
    Figure,
    GroupFigure,
    Masking,
    Shortcut,
    audit_of,
    kept_at,
)

__all__ = ["FOLDER", "Attribute", "Audit", "Figure", "GroupFigure", "Masking", "Shortcut", "audit_of", "kept_at"]
