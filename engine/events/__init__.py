"""What happened, told to whoever listens: in this process, in the audit trail, in other processes.

Speaks, and never writes to the store; a listener that fails never stops a run.
"""

from engine.events.bus import EventBus
from engine.events.event import Event, Severity

__all__ = ["Event", "EventBus", "Severity"]
