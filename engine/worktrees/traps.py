"""Making a tree that a step left readable to the end, before git reads it.

A fifo called `.gitignore` would keep git waiting for ever, and one in the place of a file would fail a whole capture.
Fifos, sockets and devices hold nothing that could be kept, so they are removed; rights that were taken from the owner
are given back. Nothing else is changed, and no link is followed.
"""

import os
import stat
from pathlib import Path

from engine.worktrees.removal import open_folder


def clear_traps(root: Path) -> None:
    """Remove what is neither file, folder nor link, and let the owner read the rest."""
    opened = [open_folder(root)]
    left = [_folders_of_cleared(opened[0])]
    try:
        while opened:
            if left[-1]:
                opened.append(open_folder(left[-1].pop(), opened[-1]))
                left.append(_folders_of_cleared(opened[-1]))
            else:
                left.pop()
                os.close(opened.pop())
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _folders_of_cleared(folder: int) -> list[str]:
    below = []
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            below.append(entry.name)
        elif entry.is_file(follow_symlinks=False):
            mode = entry.stat(follow_symlinks=False).st_mode
            if not mode & stat.S_IRUSR:
                os.chmod(entry.name, stat.S_IMODE(mode) | stat.S_IRUSR, dir_fd=folder)
        elif not entry.is_symlink():
            os.unlink(entry.name, dir_fd=folder)
    return below
