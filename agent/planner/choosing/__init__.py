"""Multiple choice: the tools that tell the options apart are called, and the best supported option is given.

`asked` reads the question, `calls` plans the tools, `answer` weighs the options: by a measured number (`numbers`), by
what became of something between two films (`changes`), by what is pushed aside (`shifts`), or by what they state of
the film (`statements`, resting on `beliefs` and `places`).
"""

from agent.planner.choosing.answer import compose_choice
from agent.planner.choosing.asked import as_choice
from agent.planner.choosing.calls import choice_calls

__all__ = ["as_choice", "choice_calls", "compose_choice"]
