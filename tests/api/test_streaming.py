"""An output on its way: in the end what `generate` returns, before it the same with the rest blank."""

import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.generation.constraints import allow

DRAW = {"temperature": 1.0, "top_p": 1.0}


def test_text_comes_token_by_token_and_ends_as_generate_has_it(model):
    whole = model.generate("text", text="say", max_length=10, seed=2, **DRAW)
    parts = list(model.stream("text", text="say", max_length=10, seed=2, every=3, **DRAW))
    assert parts[-1].value == whole and [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert [part.tokens for part in parts[:-1]] == [3 * (i + 1) for i in range(len(parts) - 1)]
    assert all(part.of == 10 for part in parts) and len(parts) == -(-parts[-1].tokens // 3)
    ids = [model.config.target("text").vocabulary.encode(part.value) for part in parts]
    assert all(later[: len(one) - 1] == one[:-1] for one, later in zip(ids, ids[1:], strict=False))


def test_an_answer_that_ends_early_ends_the_stream(model):
    ends = np.zeros(model.config.target("text").vocabulary.size, bool)
    ends[1] = True
    (only,) = model.stream("text", text="say", constraint=allow(ends))
    assert only.done and only.tokens == 1 and only.value == ""


@pytest.mark.parametrize("guidance", [0.0, 3.0])
def test_a_picture_comes_row_by_row(model, picture, guidance):
    given = {"text": "draw", "image": picture, "seed": 4, "guidance": guidance}
    whole = model.generate("image", **given)
    target = model.config.target("image")
    rows, columns = target.code_grid
    parts = list(model.stream("image", **given))
    assert [part.tokens for part in parts] == [columns * (i + 1) for i in range(rows)]
    np.testing.assert_allclose(parts[-1].value, whole, atol=1e-5)
    height = len(whole) // rows
    for i, part in enumerate(parts[:-1], 1):
        assert part.value.shape == whole.shape
        np.testing.assert_array_equal(part.value[i * height :], 0.5)
        assert part.value[: i * height].std() > 0


def test_a_sound_is_silent_where_it_is_not_written(model):
    parts = list(model.stream("audio", text="say", seed=1))
    whole = model.generate("audio", text="say", seed=1)
    np.testing.assert_allclose(parts[-1].value, whole, atol=1e-4)
    assert np.abs(parts[0].value[-len(whole) // 4 :]).max() < 0.05 * np.abs(whole).max()


def test_nothing_is_rendered_that_nobody_looks_at(model, monkeypatch):
    shown = []
    monkeypatch.setattr(model, "_present", lambda target, field: shown.append(field))
    *_, part = model.stream("image", text="draw")
    assert not shown
    assert part.value is part.value is None and len(shown) == 1 and "done" in repr(part)


@pytest.mark.parametrize(
    "wrong", [{"samples": 2}, {"beams": 2}, {"progress": print}, {"every": 0}, {"every": -1}]
)
def test_what_does_not_go_with_a_stream_is_told_before_it_begins(model, wrong):
    with pytest.raises(ConfigError):
        model.stream("text", text="say", **wrong)
