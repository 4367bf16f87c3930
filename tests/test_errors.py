"""How a stage or command ends: a sentence if its user can fix the cause, else a traceback."""

from unittest import mock

import pytest

from workflow.base.errors import InputError, reading, run


def test_what_a_parser_refuses_is_a_sentence_about_the_file():
    with (
        pytest.raises(InputError, match=r"^a\.json: no number; run `dvc repro`$"),
        reading("a.json", "; run `dvc repro`"),
    ):
        raise ValueError("no\nnumber")


@pytest.mark.parametrize("bug", [NameError("x"), TypeError("x"), MemoryError()])
def test_a_bug_and_a_lack_of_memory_are_not_blamed_on_the_file(bug: Exception):
    with pytest.raises(type(bug)), reading("a.json"):
        raise bug


def test_a_bug_shows_its_traceback():
    with pytest.raises(NameError):
        run(mock.Mock(side_effect=NameError("foo")))


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (InputError("no a.csv"), "error: no a.csv"),
        (MemoryError("Unable to allocate 3 TiB"), "error: not enough memory: Unable to"),
        (MemoryError(), "error: not enough memory: an allocation failed"),
        (PermissionError(13, "denied", "a"), "error: [Errno 13] denied: 'a': free disk"),
    ],
)
def test_a_process_ends_with_one_sentence(raised: Exception, sentence: str):
    with pytest.raises(SystemExit) as ended:
        run(mock.Mock(side_effect=raised))
    assert str(ended.value.code).startswith(sentence)
