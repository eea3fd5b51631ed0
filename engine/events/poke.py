"""Wakes other processes on this machine: a datagram without content to whoever listens for a role.

A poke says "look now" and nothing else, so one that is lost or one too many does no harm. Listeners are
sockets in one folder, `<role>.<pid>-<n>.sock`, for the owner alone. A socket whose process died is swept away
by the next poke. The folder is held open and its sockets are reached through it, because the path of a socket
may have about a hundred bytes only, and the path of a repository is often longer.
"""

import errno
import os
import socket
import threading
import time
from itertools import count
from pathlib import Path
from types import TracebackType

from engine.ids import is_safe_name

EVENTS = "events"

_HAS_PROC = Path("/proc/self/fd").is_dir()
_SETTLED_NS = 2_000_000_000
_MAX_TRIES = 100

_numbers = count(1)


def commands_role(run_id: str) -> str:
    """What the owner of a run listens for: somebody wrote down a command."""
    return f"commands-{run_id}"


class Poker:
    """Pokes the listeners in a folder. Cheap when nobody listens: one look at the folder's own times."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._folder: _Folder | None = None
        self._socket: socket.socket | None = None
        self._names: dict[str, list[str]] = {}
        self._mark = (0, 0, 0)
        self._is_settled = False

    def poke(self, role: str) -> int:
        """Wake every listener of a role, and say how many there are. Never raises, never blocks."""
        with self._lock:
            try:
                folder = self._look()
                return sum(self._send(folder, name) for name in self._names.get(role, ()))
            except OSError:
                # No folder, or none that we may read: nobody can be woken, and their safety poll remains.
                return 0

    def sweep(self) -> None:
        """Remove the sockets of processes that died; whoever dies cannot do it."""
        with self._lock:
            try:
                folder = self._look()
                for name in (name for names in self._names.values() for name in names):
                    if is_stale(name):
                        folder.remove(name)
            except OSError:
                pass  # No folder, or none that we may change: a later one does it.

    def close(self) -> None:
        with self._lock:
            if self._folder is not None:
                self._folder.close()
            if self._socket is not None:
                self._socket.close()
            self._folder = self._socket = None
            self._is_settled = False

    def _look(self) -> "_Folder":
        """Know who listens, from memory while the folder has not changed.

        A file system's clock moves in ticks: a socket made in the tick of our listing would leave the
        folder's time as it was. So a listing is trusted only if the last change was well before it: any
        later change then falls into a later tick and shows.
        """
        status = self._directory.stat(follow_symlinks=False)
        mark = (status.st_dev, status.st_ino, status.st_mtime_ns)
        folder = self._folder
        if folder is None or mark[:2] != self._mark[:2]:
            folder = self._open_again()
        elif mark == self._mark and self._is_settled:
            return folder
        self._mark = mark
        self._is_settled = time.time_ns() - status.st_mtime_ns > _SETTLED_NS
        self._names = folder.listeners()
        return folder

    def _open_again(self) -> "_Folder":
        if self._folder is not None:
            self._folder.close()
            self._folder = None
        self._folder = _Folder(self._directory)
        return self._folder

    def _send(self, folder: "_Folder", name: str) -> bool:
        if self._socket is None:
            self._socket = _datagram_socket()
        try:
            self._socket.sendto(b"!", folder.address(name))
        except ConnectionRefusedError:
            folder.remove(name)
            return False
        except OSError as error:
            # A full buffer holds a poke that was not read yet: as good as ours.
            return error.errno in (errno.EAGAIN, errno.ENOBUFS)
        return True


class PokeListener:
    """Hears the pokes of one role: `fileno()` becomes readable. Not `is_open` where no socket can be made."""

    def __init__(self, directory: Path, role: str) -> None:
        if not is_safe_name(role):
            raise ValueError(f"{role!r} cannot be a role")
        self._folder: _Folder | None = None
        self._socket: socket.socket | None = None
        self._name = ""
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            self._folder = _Folder(directory)
            self._socket = _datagram_socket()
            self._name = _bind(self._socket, self._folder, role)
        except OSError:
            # A read-only folder, a path that does not fit: the caller falls back to slower ways.
            self.close()

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def fileno(self) -> int:
        """The descriptor to wait on; -1 if there is none."""
        return self._socket.fileno() if self._socket else -1

    def drain(self) -> int:
        """Take all pokes that have come, and say how many. Drain first, then look, so that none is lost."""
        pokes = 0
        while self._socket is not None:
            try:
                self._socket.recv(16)
            except BlockingIOError:
                break
            pokes += 1
        return pokes

    def close(self) -> None:
        """Stop listening and take the socket's name away."""
        if self._folder is not None:
            if self._name:
                self._folder.remove(self._name)
            self._folder.close()
        if self._socket is not None:
            self._socket.close()
        self._folder = self._socket = None

    def __enter__(self) -> "PokeListener":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Folder:
    """The folder of the sockets, held open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._descriptor)

    def address(self, name: str) -> str:
        return f"/proc/self/fd/{self._descriptor}/{name}" if _HAS_PROC else str(self._path / name)

    def listeners(self) -> dict[str, list[str]]:
        """The sockets' names by role."""
        found: dict[str, list[str]] = {}
        with os.scandir(self._descriptor) as entries:
            for entry in entries:
                role, _, rest = entry.name.partition(".")
                if rest.endswith(".sock"):
                    found.setdefault(role, []).append(entry.name)
        return found

    def remove(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._descriptor)
        except OSError:
            # Gone already, or not ours to take away: it does no harm where it is.
            pass


def is_stale(name: str) -> bool:
    """Whether the process that a socket is named after is gone."""
    number = name.rpartition(".sock")[0].rpartition(".")[2].partition("-")[0]
    if not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _datagram_socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def _bind(listening: socket.socket, folder: _Folder, role: str) -> str:
    """Give the socket a free name; one that is left over from a process with our number is passed over."""
    for _ in range(_MAX_TRIES):
        name = f"{role}.{os.getpid()}-{next(_numbers)}.sock"
        try:
            listening.bind(folder.address(name))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return name
    raise OSError(errno.EADDRINUSE, "no free name for a socket")
