"""What the rules about a patch find wrong, as data.

A finding's rule is a stable name that people and JSON may rely on; its message is for people and may change.
"""

from dataclasses import dataclass

from engine.git.changes import shown_path


def rule_of(finding: str) -> str:
    """The rule of a finding that is on record as text."""
    return finding.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason to refuse a patch. An empty path means the patch as a whole."""

    rule: str
    path: bytes
    message: str

    def __str__(self) -> str:
        where = f" ({shown_path(self.path)})" if self.path else ""
        return f"{self.rule}: {self.message}{where}"
