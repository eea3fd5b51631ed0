"""A run's own branch: where it is, and moved by one verified commit at a time.

The ref moves after the ledger says `verified` and before it says `committed`; after a kill in between it is set back,
and moved again when the commit is repeated.
"""

from collections.abc import Collection, Mapping

from engine.errors import CommitsLost, GitFailed
from engine.executor.runbook import Runbook
from engine.git.changes import DiffStats
from engine.git.diffs import changes_between
from engine.git.objects import resolve_commit
from engine.git.program import Git
from engine.git.refs import create_ref, delete_ref, move_ref, read_ref, run_ref, shadow_ref


class Integration:
    """The integration head of one run; in shadow mode a private tip that nothing is ever taken from."""

    def __init__(self, git: Git, book: Runbook) -> None:
        self.git = git
        self._book = book
        self.is_shadow = book.script.settings.mode == "shadow"
        self.ref = (shadow_ref if self.is_shadow else run_ref)(book.run.run_id)

    @property
    def head(self) -> str:
        """The commit that steps start from now."""
        head = self._book.run.head_commit or self._book.run.base_commit
        assert head is not None
        return head

    def open(self, *, verified: Collection[str | None] = ()) -> None:
        """Make the ref, or bring it to where the ledger says. It may be ahead, at a `verified` commit."""
        found = read_ref(self.git, self.ref)
        if found != self.head and resolve_commit(self.git, self.head) is None:
            raise CommitsLost(self._book.run.run_id, self.head)
        if found is None:
            create_ref(self.git, self.ref, self.head)
        elif found != self.head:
            # The ledger is what was reviewed and verified: a ref of ours that says otherwise was moved by others.
            if not (self.is_shadow or found in verified):
                self._book.journal.note("warning", self._book.run, reason=f"{self.ref} was at {found}: it is set back")
            if not move_ref(self.git, self.ref, self.head, found):
                raise GitFailed("update-ref", f"{self.ref} is being moved by somebody else")

    def advance(self, new: str, others: Mapping[str, str | None]) -> bool:
        """Move the ref to a verified commit, and others with it; whether it was where the ledger says."""
        return move_ref(self.git, self.ref, new, self.head, why="minipipe: commit", others=others)

    def note(self, new: str) -> None:
        """Write down where the head is now."""
        self._book.amend_run(head_commit=new)

    def sum_up(self) -> None:
        """Write down what the run has changed so far."""
        base = self._book.run.base_commit
        assert base is not None
        stats = DiffStats.of(changes_between(self.git, base, self.head)) if self.head != base else DiffStats()
        self._book.amend_run(diff_stats=stats.to_dict())

    def is_at(self, commit: str) -> bool:
        return read_ref(self.git, self.ref) == commit

    def close(self) -> None:
        """A run that changed nothing leaves no ref. (Neither does a shadow, once its run has ended.)"""
        if not self.is_shadow and self.head == self._book.run.base_commit:
            delete_ref(self.git, self.ref, self.head)
