"""Where a run's changes have come to, in a line or two: on their branch, or why not and what to do."""

from collections.abc import Iterator, Mapping
from typing import Any

from minipipe_tui.cli.inert import inert_line

Document = Mapping[str, Any]


def arrival(document: Document) -> Iterator[str]:
    """What became of a run's changes; nothing where there is nothing to say."""
    promotion = document["promotion"]
    if promotion["state"] == "done":
        yield inert_line(f"{promotion['target']} is at {promotion['commit'][:12]}")
    elif promotion["reason"]:
        yield inert_line(promotion["reason"])
        if promotion["branch"] and promotion["branch"] not in promotion["reason"]:
            yield inert_line(f"the changes are on {promotion['branch']}")
        if promotion["hint"]:
            yield inert_line(f"next: {promotion['hint']}")
