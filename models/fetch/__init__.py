"""Getting weights: what to download for a model, the download itself, checking it and taking it away again.

May import models.catalog and models.weights and what lies below models; is imported by app and ui only.
"""
