"""Which node of a run starts next, and why another one has to wait.

Ask and tell: `take` names what to start, `finish` and its kin are told what happened. Starts nothing, reads
no clock, does no I/O, throws no dice: the same calls give the same answers. A whole run costs O(edges): no
event makes it look at every node again.
"""

from engine.scheduler.node import Consequences, Limits, Node, Result, Wait
from engine.scheduler.scheduler import Scheduler

__all__ = ["Consequences", "Limits", "Node", "Result", "Scheduler", "Wait"]
