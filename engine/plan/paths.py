"""Paths that a plan names: relative to the workspace, and never out of it."""

from engine.plan.finding import quote


def outside_reason(path: str) -> str:
    """Why a path may not stand in a plan, or nothing."""
    if not path:
        return 'a path may not be empty; write "." for the workspace itself'
    if path.startswith(("/", "~/")) or path == "~":
        return f"{quote(path)} should be relative to the workspace"
    if ".." in path.split("/"):
        return f'{quote(path)} leads out of the workspace: ".." is not allowed'
    if "\0" in path or "\n" in path:
        return f"{quote(path)} holds a character that no path should have"
    return ""
