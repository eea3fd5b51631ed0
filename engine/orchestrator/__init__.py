"""Runs as a whole: made, executed by the process that owns them, and steered from any process."""

from engine.orchestrator.orchestrator import Orchestrator

__all__ = ["Orchestrator"]
