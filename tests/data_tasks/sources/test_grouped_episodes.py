"""Records in a row as one, and episodes cut into moments."""

import numpy as np
import pytest

from data_tasks.sources.episodes import Numbers, Pictures, ends, moments, spread
from data_tasks.sources.grouped import Grouped
from data_tasks.sources.lines import Lines
from data_tasks.sources.stored import Context, Reading
from data_tasks.sources.texts import Classes
from unified_io.errors import DataError


def episode(count):
    return {"goal": "go", "steps": [{"place": place} for place in range(count)]}


def places(records):
    return [[step["place"] for step in record["steps"]] for record in records]


@pytest.mark.parametrize(("written", "groups"), [(7, 3), (2, 1), (1, 0)])
def test_groups_hold_records_in_their_order_and_no_half_ones(tmp_path, written, groups):
    lines = Lines("a")
    grouped = Grouped("a", lines, 2)
    lines.write(tmp_path, "train", [{"n": n} for n in range(written)])
    assert grouped.length(tmp_path, "train") == groups
    for group in range(groups):
        members = grouped.record(tmp_path, "train", group)["members"]
        assert [one["n"] for one in members] == [2 * group, 2 * group + 1]
    with pytest.raises(DataError):
        grouped.record(tmp_path, "train", groups)


def test_what_is_written_as_groups_is_read_back(tmp_path):
    grouped = Grouped("a", Lines("a"), 3)
    records = [{"members": [{"n": 3 * k + j} for j in range(3)]} for k in range(2)]
    grouped.write(tmp_path, "train", records)
    assert [grouped.record(tmp_path, "train", k) for k in range(2)] == records
    assert grouped.files(tmp_path, "train") == Lines("a").files(tmp_path, "train")


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_moment_has_the_steps_up_to_it(ahead):
    cut = places(moments(3, ahead)(episode(11)))
    assert [steps[-1 - ahead] for steps in cut] == [0, 3, 6, 9]
    assert all(np.all(np.diff(steps) == 1) for steps in cut)
    assert [len(steps) for steps in cut] == [1 + ahead, 4 + ahead, 5 + ahead, 5 + ahead]
    assert moments(3, 1)(episode(1)) == []


def test_ends_and_spread_steps_are_the_first_the_last_and_some_between():
    assert places(ends(episode(9))) == [[0, 8]]
    assert ends(episode(1)) == []
    assert places(spread(episode(9))) == [[0, 2, 4, 6, 8]]
    assert places(spread(episode(2))) == [[0, 1]]


def test_numbers_are_cut_to_their_ranges_and_pictures_keep_their_sizes():
    context = Context(None, Reading(), "train")
    record = {
        "steps": [
            {"action": np.array([0.5, -9.0]), "image": np.zeros((4, 6 + n, 3), np.uint8)} for n in (0, 1)
        ]
    }
    assert Numbers("steps/action", (-1.0, -1.0), (1.0, 1.0))(record, context) == [[0.5, -1.0]] * 2
    assert [one.shape for one in Pictures("steps/image")(record, context)] == [(4, 6, 3), (4, 7, 3)]


def test_a_closed_set_is_all_names_of_a_file(tmp_path):
    (tmp_path / "names.txt").write_text("a cup\nred door \n")
    assert Classes("names.txt")({}, Context(tmp_path, Reading(), "train")) == ["a cup", "red door"]
    with pytest.raises(DataError):
        Classes("other.txt")({}, Context(tmp_path, Reading(), "train"))
