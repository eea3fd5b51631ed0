"""The plan that `minipipe plan new` writes: small, valid, and explained in its descriptions."""

import json

from engine.errors import UsageError
from engine.ids import is_safe_name
from engine.plan.finding import quote


def new_plan_text(plan_id: str) -> str:
    """The text of a plan that runs as it stands, in any repository."""
    if not is_safe_name(plan_id):
        hint = "use letters, digits, - and _, at most 64, such as tidy-up"
        raise UsageError(f"{quote(plan_id)} is not a usable plan_id", hint=hint)
    return _written({"version": "1.0", "plan_id": plan_id, **_CONTENT}) + "\n"


def _written(value: object, indent: int = 0) -> str:
    """JSON as a person would write it: what fits on a line stands on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or (indent and len(flat) <= _LINE - indent):
        return flat
    inner = indent + 2
    if isinstance(value, dict):
        opening, closing = "{}"
        parts = [f"{json.dumps(key)}: {_written(item, inner)}" for key, item in value.items()]
    else:
        opening, closing = "[]"
        parts = [_written(item, inner) for item in value]
    return f"{opening}\n" + ",\n".join(" " * inner + part for part in parts) + f"\n{' ' * indent}{closing}"


_LINE = 100
_CONTENT = {
    "name": "A first plan",
    "description": "Change it to your needs. minipipe plan validate checks it.",
    "variables": {
        "GREETING": {
            "default": "hello",
            "description": 'Give another with --var GREETING=…, or allow the environment with "env": true.',
        }
    },
    "globals": {"max_concurrent_steps": 2, "timeout_seconds": 600},
    "steps": [
        {
            "id": "write",
            "description": "A command is a list. A variable stays within one argument, whatever it holds.",
            "command": [
                "python3",
                "-c",
                "import sys; open('greeting.txt', 'w').write(sys.argv[1] + '\\n')",
                "${GREETING}",
            ],
        },
        {
            "id": "count",
            "description": "A shell line gets variables as environment variables. What it writes to "
            "$MINIPIPE_OUTPUT, later steps may use.",
            "shell": 'echo "words=$(wc -w < greeting.txt)" >> "$MINIPIPE_OUTPUT"',
            "depends_on": ["write"],
            "retries": 1,
        },
        {
            "id": "report",
            "description": "Runs only when its condition holds.",
            "when": "${count.words} > 0",
            "command": ["echo", "the greeting has ${count.words} words"],
            "depends_on": ["count"],
        },
    ],
    "finally": [{"id": "goodbye", "description": "Runs whatever happens before.", "command": ["echo", "done"]}],
}
