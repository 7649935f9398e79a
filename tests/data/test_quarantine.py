"""Examples that are left out: how many are too many, and what is written about them."""

import json

import pytest

from unified_io.data.position import Place
from unified_io.data.quarantine import LeftOut, Quarantine, QuarantineFile
from unified_io.errors import DataError


def of(source: str, count: int, share: float = 0.05) -> Quarantine:
    quarantine = Quarantine(10_000, share)
    for number in range(count):
        quarantine.add(f"{source} {number}", DataError("torn"), source)
    return quarantine


@pytest.mark.parametrize(
    ("bad", "used", "too_many"),
    [
        (10, 190, False),
        (11, 189, True),
        (11, 300, False),
        (100, 99, False),
        (100, 100, True),
        (0, 500, False),
    ],
)
def test_a_part_of_a_source_is_too_many_once_there_are_enough_to_tell(bad, used, too_many):
    quarantine = of("letters", bad)
    if not too_many:
        return quarantine.check({"letters": used, "digits": 10})
    with pytest.raises(
        DataError, match=rf"{bad} of 2\d\d|{bad} of 200 examples of letters .* letters {bad - 1}: torn"
    ):
        quarantine.check({"letters": used, "digits": 10_000})


def test_a_share_of_one_allows_everything_but_the_absolute_number():
    of("letters", 500, share=1.0).check({})
    quarantine = Quarantine(1)
    quarantine.add("letters 0", DataError("torn"))
    with pytest.raises(
        DataError, match="2 examples could not be used, max_bad is 1; the last was letters 1: cut"
    ):
        quarantine.add("letters 1", DataError("cut"))


def test_a_file_holds_what_a_resumed_run_will_not_meet_again(tmp_path):
    file = QuarantineFile(tmp_path / "folder" / "quarantine.jsonl")
    assert file.resume(3) == []
    entries = [
        LeftOut("a 1", "torn", "a", Place(0, 2, 5), 1),
        LeftOut("an example of b", "größer", "b", None, 2),
        LeftOut("a 2", "torn", "a", Place(1, 0, 0), 4),
    ]
    file.write(entries)
    with file.path.open("a") as half:
        half.write('{"step": 2, "source": "a"')
    assert file.resume(2) == entries[:2]
    assert file.resume(2) == entries[:2]
    lines = [json.loads(line) for line in file.path.read_text(encoding="utf-8").splitlines()]
    assert lines == [
        {"step": 1, "source": "a", "name": "a 1", "place": [0, 2, 5], "reason": "torn"},
        {"step": 2, "source": "b", "name": "an example of b", "place": None, "reason": "größer"},
    ]
