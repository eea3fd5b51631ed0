"""A patch as bytes for elsewhere: the plain diff, or a mail as `git format-patch` writes it."""

from typing import Literal

from engine.errors import ActionRefused
from engine.git.diffs import patch_text
from engine.git.program import Git
from engine.store.records import PatchRecord

Form = Literal["diff", "mail"]

_MAIL = (
    "--stdout",
    "--max-count=1",
    "--binary",
    "--full-index",
    "--no-attach",
    "--no-thread",
    "--no-signoff",
    "--no-signature",
    "--no-notes",
    "--no-base",
    "--no-from",
    "--no-to",
    "--no-cc",
    "--no-add-header",
    "--no-cover-letter",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--subject-prefix=PATCH",
    "--no-numbered",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
"""Nothing of what the user has configured for mails of their own."""


def exported(git: Git, patch: PatchRecord, form: Form) -> bytes:
    """The bytes. A mail is made from the commit that the patch has become, if it has become one."""
    if patch.diff_path is None:
        why = "it holds a secret value"
        raise ActionRefused("export", patch.patch_id, why, hint=f"git show {patch.commit_id[:12]} shows it to you")
    if form == "diff":
        return patch_text(git, patch.base_commit, patch.commit_id)
    return git.tell("format-patch", *_MAIL, "--end-of-options", patch.committed_commit or patch.commit_id)
