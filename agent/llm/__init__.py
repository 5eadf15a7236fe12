"""Planners that are language models: made from their names, called in turn, told what they may see.

Same graph, tools and ledger as the embedded planner's. May import the planner, settings and prompts."""
