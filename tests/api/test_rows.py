"""Rows: what a list is, and shapes that neither hold what nobody gave nor change with every example."""

import numpy as np
import pytest

from unified_io.api.rows import bucket, lay_out, line_up, padded
from unified_io.errors import ConfigError


def test_a_list_is_a_row_each_and_anything_else_is_shared():
    assert line_up(image=["a", "b"], question="why?") == (False, [("a", "why?"), ("b", "why?")])
    assert line_up(image="a", question="why?") == (True, [("a", "why?")])
    assert line_up(image=["a"], frames=("x", "y")) == (False, [("a", ("x", "y"))])
    with pytest.raises(ConfigError, match="'question': 3"):
        line_up(image=["a", "b"], question=["x", "y", "z"])
    with pytest.raises(ConfigError, match="not empty"):
        line_up(image=[], question="why?")


def test_sizes_are_few():
    assert [bucket(n) for n in (0, 1, 2, 3, 9)] == [1, 1, 2, 4, 16]
    assert bucket(3, 8) == 8 and bucket(65, 64) == 128
    assert padded([4, 5, 6], 5).tolist() == [4, 5, 6, 4, 4]


def test_a_batch_holds_only_media_that_are_there(model, picture):
    text = model.read({"text": "what?"}, "text")
    seen = model.read({"text": "what?", "image": picture}, "text")
    alone = lay_out(model.config, [text] * 3)
    some = lay_out(model.config, [text, seen, seen])

    def items(batch):
        return {name: bank["mask"].shape[1] for name, bank in batch["inputs"].items() if "mask" in bank}

    assert set(items(alone).values()) == {1}
    assert items(some) == {**items(alone), "image": 2}
    assert alone["encoder"]["slots"].shape == some["encoder"]["slots"].shape == (1, 4, 64)
    # the fourth row is padding
    assert (alone["encoder"]["segment_ids"][0].any(axis=1) == [True, True, True, False]).all()


def test_a_row_is_at_most_a_half_longer_than_it_must_be(model):
    tokens = lambda n: len(model.config.inputs[0].tokenize(" a" * n)) + 1  # noqa: E731
    for n in (10, 70, 78):
        width = lay_out(model.config, [{"text_inputs": " a" * n}])["encoder"]["slots"].shape[2]
        assert tokens(n) <= width <= max(64, np.ceil(1.5 * tokens(n)))
