"""The message of the commit that a patch becomes: a first line, and trailers that say where it comes from."""

import re
from collections.abc import Mapping

from engine.store.records import PatchRecord

_LONGEST = 100


def commit_message(subject: str, names: Mapping[str, str], patch: PatchRecord, *, tool: str) -> str:
    """The subject's `{names}` filled in, then the trailers."""
    trailers = {
        "Minipipe-Run": patch.run_id,
        "Minipipe-Task": patch.task_id,
        "Minipipe-Patch": patch.patch_id,
        "Minipipe-Tool": tool,
        "Reviewed-by": patch.reviewed_by if patch.review_status == "approved" else None,
    }
    lines = [f"{name}: {one_line(value)}" for name, value in trailers.items() if value]
    return f"{first_line(subject, names)}\n\n" + "\n".join(lines) + "\n"


def first_line(subject: str, names: Mapping[str, str]) -> str:
    """The template with each known name replaced once; what a name holds is never looked at again."""
    filled = re.sub(r"\{(\w+)\}", lambda match: names.get(match[1], match[0]), subject)
    return one_line(filled)[:_LONGEST] or "minipipe"


def one_line(text: str) -> str:
    """Without line breaks and controls: a name must not become a second trailer."""
    return "".join(char if char.isprintable() else " " for char in text).strip()


def patches_of(message: str) -> list[str]:
    """The patches that a commit says it is: several, where somebody has squashed them."""
    return re.findall(r"^Minipipe-Patch: (\S+)$", message, re.MULTILINE)
