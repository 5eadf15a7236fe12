"""Figures of merit of draft reports against reference reports, by name: `registry.METRICS`.

Some need a model, a language model or annotations that the user supplies; what is absent is told with the remedy
before anything runs.
"""
