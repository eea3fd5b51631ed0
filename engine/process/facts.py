"""The record that finds a process again, also after the program that started it has died."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """What finds a process again after we died: its pid alone may have been given to somebody else."""

    pid: int
    started: int
    """Clock ticks since boot, from the kernel."""
    boot_id: str
