"""Models that run in a process and an environment of their own: what they need, what they may, and how they are asked.

`child` and `runners` run over there, with the packages of that environment; everything else runs here.
"""
