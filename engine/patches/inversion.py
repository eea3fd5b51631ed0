"""The inverse of a committed patch, as one commit on top of a head, in the object database; nothing moves yet."""

from engine.git.changes import shown_path
from engine.git.merging import merge
from engine.git.objects import is_ancestor, parents_of, tree_of, write_commit
from engine.git.program import Git
from engine.patches.application import Signature
from engine.patches.checkout import Refusal
from engine.patches.message import first_line, patches_of

_NAMED = 10


def find_commit(git: Git, head: str, patch_id: str, committed: str) -> str | None:
    """The commit of a patch that a head stands on: the one on record, else the one that says it is."""
    if is_ancestor(git, committed, head):
        return committed
    output = git.tell("log", "--no-show-signature", "-z", "--format=%H%n%B", "--fixed-strings",
                      f"--grep=Minipipe-Patch: {patch_id}", head, "--")  # fmt: skip
    for entry in output.split(b"\0"):
        commit, _, message = entry.decode(errors="replace").partition("\n")
        # One that says so of several is a squash of them, and holds more than this patch.
        if patches_of(message) == [patch_id]:
            return commit
    return None


def invert(git: Git, *, head: str, commit: str, patch_id: str, run_id: str, signature: Signature) -> str | Refusal:
    """The head without what a commit changed; or why that cannot be."""
    parents = parents_of(git, commit)
    if len(parents) != 1:
        return Refusal(f"{commit[:12]} is a merge: its inverse is not defined")
    inverse = write_commit(git, tree_of(git, parents[0]), [commit], "inverse\n", identity=signature.identity)
    merged = merge(git, head, inverse)
    if not merged.is_clean:
        return Refusal(_conflict(git, head, commit, merged.conflicts))
    if merged.tree == tree_of(git, head):
        return Refusal("nothing of it is left: what it changed has been undone or replaced already")
    message = _message(git, commit, patch_id, run_id)
    return write_commit(git, merged.tree, [head], message, identity=signature.identity, signing=signature.signing)


def _conflict(git: Git, head: str, commit: str, paths: tuple[bytes, ...]) -> str:
    shown = ", ".join(shown_path(path) for path in paths[:_NAMED])
    later = _later(git, head, commit, paths)
    since = f", which was changed since by {', '.join(later[:_NAMED])}" if later else ""
    return f"its inverse conflicts in {shown}{since}"


def _later(git: Git, head: str, commit: str, paths: tuple[bytes, ...]) -> list[str]:
    """What has touched some paths since, newest first: patches by their ids, other commits by what they say."""
    output = git.tell("--literal-pathspecs", "log", "--no-show-signature", "--no-merges", "-z", "--format=%h%n%B",
                      f"{commit}..{head}", "--", *paths)  # fmt: skip
    found = []
    for entry in output.split(b"\0"):
        short, _, message = entry.decode(errors="replace").partition("\n")
        patches = patches_of(message)
        if short:
            first = message.splitlines()[0] if message else ""
            found.append(f"patch {patches[-1]}" if patches else f"{short} ({first})")
    return found


def _message(git: Git, commit: str, patch_id: str, run_id: str) -> str:
    subject = git.tell("log", "-1", "--no-show-signature", "--format=%s", commit, "--").decode(errors="replace")
    line = first_line(f"Roll back: {subject.strip()}", {})
    return f"{line}\n\nMinipipe-Rollback: {patch_id}\nMinipipe-Run: {run_id}\n"
