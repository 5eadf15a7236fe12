"""Cases on phantom films, whose truth is exact: what a user asks of each capability, and how far the answer is right.

`hilum eval phantom` draws them from a seed, puts them to the agent and prints a score per capability. A module per
theme makes its cases; a new theme goes into a module of its own, listed in `evals.phantom_cases.drawn`."""
