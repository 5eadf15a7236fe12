"""DICOM objects for the PACS that the film came from: SR, SEG, key object selection, secondary capture (highdicom).

They carry the film's own patient and study, so that the PACS files them beside it. A session keeps no identifiers:
the film's file is given again and recognised by its pixels (sources). Content is DICOM PS3.3 2026 and PS3.16.
"""
