"""Two films of one patient over time: aligned, their difference measured, and called a change only beyond its noise.

Shared by the tools that look at time (compare, report); imports tools.anatomy, models and imaging."""
