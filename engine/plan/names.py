"""Which names may stand in a plan, for steps, gates, variables and the rest."""

import re
from collections.abc import Iterator

from engine.ids import is_safe_name
from engine.plan.finding import STAND_IN, Finding, Path, quote
from engine.plan.template import NAME

_VARIABLE = re.compile(NAME)
_SAFE = "use letters, digits, - and _, beginning with a letter or digit, at most 64"
OURS = "MINIPIPE_"
RESERVED_STEPS = ("matrix",)
RESERVED_VARIABLES = ("item",)


def name_findings(name: str, path: Path) -> Iterator[Finding]:
    """About a name that becomes part of ids and paths."""
    if not is_safe_name(name) and not name.startswith(STAND_IN):
        yield Finding(path, f"{quote(name)} is not a usable {_word(path)}: {_why(name)}", _SAFE)


def _word(path: Path) -> str:
    last = path[-1] if isinstance(path[-1], str) else path[-2]
    return {"locks": "lock name", "labels": "label"}.get(str(last), str(last))


def _why(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > 64:
        return f"it has {len(name)} characters"
    if name[0] in "-_":
        return f"it begins with {quote(name[0])}"
    bad = next((character for character in name if not is_safe_name("a" + character)), " ")
    return f"it holds {quote(bad)}"


def environment_findings(name: str, path: Path) -> Iterator[Finding]:
    """About a name that becomes an environment variable."""
    if len(name) > 256 or not _VARIABLE.fullmatch(name):
        message = f"{quote(name)} cannot be the name of a variable"
        yield Finding(path, message, "use letters, digits and _, not beginning with a digit", at_key=True)
    elif name.startswith(OURS):
        message = f"names that begin with {OURS} are minipipe's own"
        yield Finding(path, message, f"call it {name.removeprefix(OURS) or 'otherwise'}", at_key=True)
