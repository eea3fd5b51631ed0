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
    return json.dumps({"version": "1.0", "plan_id": plan_id, **_CONTENT}, indent=2, ensure_ascii=False) + "\n"


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
    "gates": [{"id": "readable", "type": "CUSTOM", "command": ["git", "diff", "--check", "HEAD~1", "HEAD"]}],
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
            "scope": {"include": ["greeting.txt"]},
            "gates": ["readable"],
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
