"""One picture of a run's progress, as a Rich text: header, a row a step, what did not fit, a hint.

The only module of the command line that imports Rich at its top; `progress.py` loads it when it draws.
"""

from rich.console import Console
from rich.text import Text

from minipipe_tui.cli.board import Board, Row
from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.output import duration
from minipipe_tui.cli.table import cell_width, cut
from minipipe_tui.cli.theme import Theme

_STATE_WIDTH = 10
_TIME_WIDTH = 8
_WIDEST_ID = 40
_AROUND_ROWS = 6
"""Header, reason, what did not fit, an empty line, footer, and the line that the cursor rests on."""
_COUNTED = ("failed", "running", "validating", "retrying", "canceled", "skipped", "waiting")


class Screen(Console):
    """A console that falls silent when its reader goes away, where Rich's own would end the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Look:
    """How to draw: the theme, and whether symbols beyond ASCII can be shown."""

    def __init__(self, theme: Theme, *, unicode: bool) -> None:
        self.theme = theme
        self.unicode = unicode
        self.hint = theme.style("hint")

    def symbol(self, state: str) -> str:
        return self.theme.mark(state).text(unicode=self.unicode)

    def style(self, state: str) -> str:
        return self.theme.mark(state).style


class Frame:
    """Draws a board in a look."""

    def __init__(self, board: Board, look: Look) -> None:
        self._board = board
        self._look = look

    def picture(self, *, width: int, height: int, now: float) -> Text:
        """The whole of it, at most `height` lines of at most `width` columns."""
        rows = self._board.visible(max(1, height - _AROUND_ROWS))
        id_width = max((cell_width(inert_line(row.step_id)) for row in rows), default=0)
        id_width = min(id_width, _WIDEST_ID, width // 2)
        lines = [self._header(now), self._reason(), *(self._row(row, id_width, now) for row in rows)]
        lines += self._more(rows)
        if not self._board.is_over:
            lines += [Text(), self._footer()]
        for line in lines:
            line.rstrip()
            line.truncate(width, overflow="ellipsis" if self._look.unicode else "crop")
        return Text("\n", no_wrap=True).join(lines)

    def warning(self, reason: str) -> Text:
        return Text(f"warning: {inert_line(reason)}", self._look.theme.style("warning"))

    def _header(self, now: float) -> Text:
        board, look = self._board, self._look
        line = Text.assemble(
            (f"{look.symbol(board.run_state)} {board.aim or board.run_state}", look.style(board.run_state)),
            (f" {duration(board.seconds(now), exact=board.is_over)}", look.hint),
            (f"  {board.counts.get('completed', 0)} of {len(board.rows)} done", look.theme.style("heading")),
        )
        for state in _COUNTED:
            if board.counts.get(state):
                line.append(", ").append(f"{board.counts[state]} {state}", look.style(state))
        return line

    def _reason(self) -> Text:
        """Why the run is in its state; an empty line in most of them."""
        return Text(f"  {inert_line(self._board.reason)}", self._look.hint)

    def _row(self, row: Row, id_width: int, now: float) -> Text:
        look = self._look
        step_id = cut(inert_line(row.step_id), id_width, mark="…" if look.unicode else "~")
        seconds = row.seconds(now)
        took = "" if seconds is None else duration(seconds, exact=row.ended is not None)
        notes = [f"attempt {row.number}"] if row.number > 1 or row.state == "retrying" else []
        notes += [inert_line(row.reason)] if row.reason else []
        return Text.assemble(
            (f"  {look.symbol(row.state)} ", look.style(row.state)),
            step_id + " " * (id_width - cell_width(step_id)),
            (f"  {row.state:<{_STATE_WIDTH}}", look.style(row.state)),
            (f"  {took:>{_TIME_WIDTH}}", look.hint),
            (f"  {', '.join(notes)}", look.hint),
        )

    def _more(self, shown: list[Row]) -> list[Text]:
        """A line about what did not fit."""
        board = self._board
        hidden = {"at work": len(board.working), "waiting": board.waiting_count}
        hidden["ended"] = len(board.rows) - sum(hidden.values())
        for row in shown:
            hidden[self._kind(row)] -= 1
        words = ", ".join(f"{count} more {kind}" for kind, count in hidden.items() if count)
        return [Text(f"  {'…' if self._look.unicode else '...'} and {words}", self._look.hint)] if words else []

    def _kind(self, row: Row) -> str:
        board = self._board
        if row.step_id in board.working:
            return "at work"
        return "waiting" if row.step_id in board.queued or row.step_id in board.waiting else "ended"

    def _footer(self) -> Text:
        dot = "·" if self._look.unicode else "|"
        run = f" {dot} {inert_line(self._board.run_id)}" if self._board.run_id else ""
        effect = "again stops the final steps too" if self._board.aim == "canceling" else "cancels"
        return Text(f"Ctrl-C {effect}{run}", self._look.hint)
