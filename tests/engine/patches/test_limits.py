"""How large a patch may be."""

from engine.git.changes import Change
from engine.patches.limits import PatchLimits, limit_findings

LIMITS = PatchLimits(max_files=2, max_bytes=1000, max_line_bytes=100)


def test_a_patch_at_its_limits_is_allowed() -> None:
    assert list(limit_findings([Change("A", b"a"), Change("A", b"b")], 1000, LIMITS, longest_line=100)) == []


def test_every_limit_that_is_exceeded_is_named() -> None:
    changes = [Change("A", b"%d" % number) for number in range(3)]
    assert [str(finding) for finding in limit_findings(changes, 1001, LIMITS, longest_line=101)] == [
        "limit.files: the patch changes 3 files; at most 2 are allowed",
        "limit.bytes: the patch has 1,001 bytes; at most 1,000 are allowed",
        "limit.line: the patch has a line of 101 bytes; at most 100 are allowed",
    ]
