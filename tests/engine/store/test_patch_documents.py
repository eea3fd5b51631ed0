"""Documents of patches: each has what is its own, and many of them cost the store no more questions than one."""

import sqlite3

import pytest

from engine.ids import new_id
from engine.store.database import Database
from engine.store.journal import Journal
from engine.store.patch_documents import patch_document, patch_documents
from engine.store.patch_queries import patches_of, waiting_for_review
from engine.store.records import CommentRecord, GateRecord, PatchFileRecord, PatchRecord, ReviewRecord, RunRecord

NOW = "2026-01-01T00:00:00.000000Z"
MANY = 501
"""More than one question names."""


@pytest.fixture
def patches(journal: Journal, run: RunRecord) -> list[PatchRecord]:
    """Patches that wait for review, each with a file, an earlier commit's file, a gate, a comment; one is decided."""
    made = []
    with journal.group():
        for number in range(MANY):
            patch_id, run_id = new_id("patch"), run.run_id
            patch = PatchRecord(
                patch_id,
                run_id,
                "task",
                "step",
                None,
                "step",
                None,
                NOW,
                state="awaiting_review",
                commit_id=f"new{number}",
                review_status="pending",
            )
            journal.add(patch)
            for commit in (f"old{number}", patch.commit_id):
                path = f"{commit}.txt"
                journal.add(PatchFileRecord(patch_id, commit, 0, path, None, "A", "0", "100644", 1, 0, is_binary=False))
            journal.add(
                GateRecord(new_id("gate"), run_id, patch_id, "step", f"g{number}", "UNIT", "verify", "c", "", NOW)
            )
            text = f"about {number}"
            journal.add(CommentRecord(new_id("event"), patch_id, run_id, "c", NOW, None, None, None, "new", text))
            made.append(patch)
        journal.add(ReviewRecord(new_id("event"), made[3].patch_id, run.run_id, "new3", "approve", NOW))
    return made


def test_every_patch_has_what_is_its_own(database: Database, run: RunRecord, patches: list[PatchRecord]) -> None:
    found = patch_documents(database, patches_of(database, run.run_id))
    assert [each["patch_id"] for each in found] == [patch.patch_id for patch in patches]
    for number, each in enumerate(found):
        assert [file["path"] for file in each["files"]] == [f"new{number}.txt"]
        assert [gate["name"] for gate in each["gates"]] == [f"g{number}"]
        assert [comment["text"] for comment in each["review"]["comments"]] == [f"about {number}"]


def test_a_patch_has_the_same_document_alone(database: Database, patches: list[PatchRecord]) -> None:
    assert [patch_document(database, patch) for patch in patches[:5]] == patch_documents(database, patches[:5])


def test_what_is_decided_offers_other_actions(database: Database, patches: list[PatchRecord]) -> None:
    undecided, decided = patch_documents(database, patches[2:4])
    assert decided["available_actions"] != undecided["available_actions"]


def test_many_patches_take_no_more_questions_than_one(database: Database, patches: list[PatchRecord]) -> None:
    asked: list[str] = []
    connection: sqlite3.Connection = database.peewee.connection()
    connection.set_trace_callback(asked.append)
    patch_documents(database, patches[:1])
    of_one = len(asked)
    patch_documents(database, patches[:400])
    connection.set_trace_callback(None)
    assert len(asked) == 2 * of_one


def test_those_that_wait_are_found_oldest_first(database: Database, patches: list[PatchRecord]) -> None:
    assert [patch.patch_id for patch in waiting_for_review(database)] == [patch.patch_id for patch in patches]
