import pytest

from engine.backends.contract import EndedBy, ScriptedEnd
from engine.backends.scripted import ScriptedBackend, read_script
from engine.errors import ConfigError


def test_attempts_take_the_entries_in_turn_and_the_last_repeats(make_order):
    backend = ScriptedBackend({"build": [ScriptedEnd(exit_code=1), ScriptedEnd()]}, slots=1)
    codes = []
    for _ in range(3):
        backend.start(make_order())
        codes += [end.exit_code for end in backend.wait(None)]
    assert codes == [1, 0, 0]


def test_ends_come_in_the_order_of_their_seconds_and_nobody_waits(make_order):
    script = {name: [ScriptedEnd(seconds=seconds)] for name, seconds in [("a", 3600), ("b", 60), ("c", 60)]}
    backend = ScriptedBackend(script, slots=3)
    orders = {step: make_order(step_id=step) for step in "abc"}
    for order in orders.values():
        backend.start(order)
    first, second = backend.wait(None), backend.wait(None)
    assert [end.attempt_id for end in first] == [orders["b"].attempt_id, orders["c"].attempt_id]
    assert [(end.attempt_id, end.duration_seconds) for end in second] == [(orders["a"].attempt_id, 3600)]
    assert backend.clock == 3600


def test_an_end_leaves_output_values_and_files_behind(make_order, tmp_path):
    entry = ScriptedEnd(output="used pass\n", values={"n": "1"}, files={"src/new.py": "x = 1\n"})
    order = make_order(secrets=("pass",), output_path=tmp_path / "values")
    backend = ScriptedBackend({"build": [entry]}, slots=1)
    backend.start(order)
    backend.wait(None)
    assert order.log_path.read_text() == "used ***\n"
    assert (tmp_path / "values").read_text() == "n=1\n"
    assert (tmp_path / "src/new.py").read_text() == "x = 1\n"


def test_a_stopped_attempt_has_done_no_work(make_order, tmp_path):
    backend = ScriptedBackend({"build": [ScriptedEnd(seconds=9, output="hm", files={"a": ""})]}, slots=1)
    order = make_order(timeout_seconds=2)
    backend.start(order)
    (end,) = backend.wait(None)
    assert (end.ended_by, end.duration_seconds) == (EndedBy.TIMEOUT, 2)
    assert order.log_path.read_text() == "hm"
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", ""])
def test_a_script_cannot_write_outside_the_step_folder(name):
    with pytest.raises(ConfigError):
        ScriptedBackend({"build": [ScriptedEnd(files={name: ""})]}, slots=1)


def test_a_script_can_be_read_from_json():
    text = '{"build": [{"exit_code": 1, "seconds": 2, "output": "no"}, {"values": {"a": "b"}}]}'
    assert read_script(text) == {
        "build": (ScriptedEnd(exit_code=1, seconds=2.0, output="no"), ScriptedEnd(values={"a": "b"}))
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "the text"),
        ('{"build": {}}', "build"),
        ('{"build": [{"exit": 1}]}', "build.0.exit"),
        ('{"build": [{"seconds": -1}]}', "build.0.seconds"),
    ],
)
def test_a_wrong_script_is_refused_with_its_place(text, words):
    with pytest.raises(ConfigError, match=words):
        read_script(text)
