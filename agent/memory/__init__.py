"""What sessions remember: films, evidence, turns, transcript and the planner's checkpoints, in one database.

May import the agent's data types (answer, draft) and imaging; knows no planner, graph or tool."""

from agent.memory.database import IN_PROCESS, Memory, Remembered, RememberedTurn

__all__ = ["IN_PROCESS", "Memory", "Remembered", "RememberedTurn"]
