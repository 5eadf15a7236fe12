"""Speed benches: `python -m evals.speed NAME [--films N] [--json]` measures one ratio against a named baseline.

A bench is one module here with a function `measure([films=N]) -> Measured`; the module's name is the bench's. Nothing
else is registered."""
