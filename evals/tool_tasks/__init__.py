"""Benchmarks of single tools on labelled films and reports: classify, segment, ground, compare, retrieve_cases,
report and read_report.

No planner takes part: the tool runs as `hilum tool` runs it. A film that cannot be read, or that a tool refuses, is
counted, and is worth nothing where the metric allows it (no box is a miss, no mask is a Dice of 0). A module per kind
of task; `running` puts them together and keeps the record, `pages` shows it.
"""
