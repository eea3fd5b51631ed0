"""A state table and the one question asked of it: may this entity go from here to there?

A machine holds no state of its own; it is a class so that its name can be imported and called directly.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from engine.errors import InvalidTransition


class StateMachine:
    """One entity's table. Subclasses are data: `entity`, `initial` and every move from every state."""

    entity: ClassVar[str]
    initial: ClassVar[StrEnum]
    transitions: ClassVar[Mapping[StrEnum, frozenset[StrEnum]]]

    @classmethod
    def states(cls) -> tuple[str, ...]:
        return tuple(state.value for state in type(cls.initial))

    @classmethod
    def terminal(cls) -> tuple[str, ...]:
        """The states that nothing leaves."""
        return tuple(state for state in cls.states() if not cls.allowed(state))

    @classmethod
    def is_terminal(cls, state: str) -> bool:
        return not cls.allowed(state)

    @classmethod
    def allowed(cls, from_state: str) -> frozenset[StrEnum]:
        """Where the entity may go from a state; empty for a final or an unknown one."""
        # A StrEnum hashes and compares as its text, so plain strings find their row.
        return cls.transitions.get(from_state, frozenset())  # type: ignore[call-overload,no-any-return]

    @classmethod
    def validate_transition(cls, from_state: str, to_state: str, *, entity_id: str | None = None) -> None:
        """Return quietly if the table lists the move, raise InvalidTransition if it does not."""
        allowed = cls.allowed(from_state)
        if to_state not in allowed:
            raise InvalidTransition(
                cls.entity, entity_id, str(from_state), str(to_state), (state.value for state in allowed)
            )
