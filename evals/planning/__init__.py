"""What the planner makes of a question: labelled questions, scripted patients, and the scores of a planner on them.

May import agent, tools, models, imaging and the rest of evals.
"""
