"""How large a plan may be: far above what a person writes, so that no input takes the machine down."""

from typing import Final

MAX_TEXT_BYTES: Final = 16 * 1024 * 1024
MAX_VALUES: Final = 1_000_000
"""Values in the text, counted by its commas."""
MAX_DEPTH: Final = 64
MAX_KEYS: Final = 1_000
"""Keys of one object."""
MAX_DIGITS: Final = 4_300
"""What Python converts without an explicit wish."""
MAX_STEPS: Final = 20_000
"""Before and after expansion."""
MAX_EDGES: Final = 500_000
"""Dependencies after expansion."""
MAX_FINDINGS: Final = 100
MAX_CONDITION: Final = 2_000
"""Characters of a `when`."""
MAX_INTEGER: Final = 2**63 - 1
MAX_SECONDS: Final = 30 * 24 * 3600
