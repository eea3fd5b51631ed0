"""What happened, told to whoever listens: the catalogue, the bus in this process, the audit file, pokes to other processes.

Speaks, and never writes to the store; a listener that fails never stops a run.
"""

from engine.events.bus import EventBus
from engine.events.event import Event, Severity

__all__ = ["Event", "EventBus", "Severity"]
