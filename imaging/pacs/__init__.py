"""Films from and results to a PACS: DICOMweb (QIDO, WADO, STOW) and DIMSE (C-ECHO, C-FIND, C-GET, C-MOVE, C-STORE).

Knows DICOM objects and the network, nothing of models or answers. What passes through here names patients: it goes to
the caller and into no log.
"""

from imaging.pacs.connection import Found, Pacs, Query, connect

__all__ = ["Found", "Pacs", "Query", "connect"]
