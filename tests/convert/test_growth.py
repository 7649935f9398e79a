"""New tokens of a language model: where their rows come from, what stays, and what they spell."""

import numpy as np
import pytest
from tiny import tiny_config
from tiny_connected import connected_config

from unified_io import pytree
from unified_io.api.loading import from_pretrained
from unified_io.convert import folders, growth
from unified_io.errors import ConfigError

NEW = ("<RS>", "</RS>")
TABLE, HEAD = "language_model/embedding", "language_model/lm_head/kernel"


@pytest.fixture(scope="module", params=[False, True], ids=["a head of its own", "a tied head"])
def model(request):
    config = connected_config(tie_embeddings=request.param)
    return config, folders.random_params(config)


def test_new_rows_are_the_mean_and_everything_else_stays(model):
    config, params = model
    grown, more = growth.with_tokens(config, params, NEW)
    before, after = pytree.named_leaves(params), pytree.named_leaves(more)
    assert grown.backbone.vocab_size == 2050 and before.keys() == after.keys()
    for name, leaf in before.items():
        kept = {TABLE: np.s_[:2048], HEAD: np.s_[:, :2048]}.get(name, ...)
        np.testing.assert_array_equal(after[name][kept], leaf, err_msg=name)
    np.testing.assert_allclose(
        after[TABLE][2048:], np.repeat(np.mean(before[TABLE], 0)[None], 2, 0), atol=1e-7
    )
    if HEAD in before:
        np.testing.assert_allclose(
            after[HEAD][:, 2048:], np.repeat(np.mean(before[HEAD], 1)[:, None], 2, 1), atol=1e-7
        )
    vocabulary = grown.target("text").vocabulary
    assert [vocabulary.token(token) for token in NEW] == [2048, 2049]
    assert grown.inputs[0].vocabulary == vocabulary


def test_spare_rows_are_taken_first():
    config = connected_config(vocab_size=2080)
    params = folders.random_params(config)
    grown, more = growth.with_tokens(config, params, NEW)
    table, before = more["language_model"]["embedding"], params["language_model"]["embedding"]
    assert grown.backbone.vocab_size == 2080
    np.testing.assert_allclose(table[2049], np.mean(before[:2048], axis=0), atol=1e-7)
    np.testing.assert_array_equal(table[2050:], before[2050:])


def test_a_folder_is_loaded_with_new_tokens(model, tmp_path):
    folders.save(tmp_path / "old", *model)
    known = from_pretrained(tmp_path / "old")
    loaded = from_pretrained(tmp_path / "old", new_tokens=NEW)
    answers = ["one", "two"]
    old, new = (m.score(answers, text="which?") for m in (known, loaded))
    assert (new < old).all() and (old - new < 0.1).all()  # two more tokens take a little of the probability
    loaded.save_pretrained(tmp_path / "new")
    again = from_pretrained(tmp_path / "new")
    assert again.config == loaded.config
    np.testing.assert_array_equal(again.score(answers, text="which?"), new)


def test_tokens_that_can_not_be_added_are_named(model):
    grown, params = growth.with_tokens(*model, NEW)
    with pytest.raises(ConfigError, match="'<RS>' is there already"):
        growth.with_tokens(grown, params, NEW)
    with pytest.raises(ConfigError, match="new tokens are for language models"):
        growth.with_tokens(tiny_config(), {}, NEW)
