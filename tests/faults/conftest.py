"""A workshop for each test, and whatever of it still lives is ended after the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.workshop import Workshop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    yield made
    made.close()
