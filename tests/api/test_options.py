"""Options: what is out of range or does not go together is told before anything is computed."""

import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.api.options import Options, running
from unified_io.errors import ConfigError
from unified_io.generation.constraints import below
from unified_io.generation.sampling import Sampler


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("samples", 0),
        ("samples", 1.5),
        ("beams", True),
        ("batch_size", -1),
        ("max_length", 0),
        ("seed", -1),
        ("seed", 2**32),
        ("guidance", -0.1),
        ("guidance", float("nan")),
        ("guidance", "ten"),
        ("length_penalty", float("inf")),
        ("length_penalty", float("-inf")),
        ("min_length", -1),
        ("no_repeat_ngram", 1.5),
        ("repetition_penalty", 0.5),
    ],
)
def test_out_of_range_is_an_error_that_names_the_option(name, value):
    with pytest.raises(ConfigError, match=name):
        Options(**{name: value})


def test_a_search_does_not_draw():
    with pytest.raises(ConfigError, match="temperature"):
        Options(beams=2, temperature=1.0)
    with pytest.raises(ConfigError, match="guidance"):
        Options(beams=2, guidance=3.0)
    with pytest.raises(ConfigError, match="raise beams"):
        Options(beams=2, samples=3)
    # what a capability would draw with is no contradiction
    assert Options.read({"beams": 2}, temperature=0.9, top_p=0.9, max_length=7).max_length == 7


def test_what_the_user_says_wins_and_typos_are_told():
    assert Options.read({"top_p": 0.5}, top_p=0.9, seed=4) == Options(top_p=0.5, seed=4)
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        Options.read({"temprature": 1.0})
    with pytest.raises(ConfigError, match="unknown option 'seed'"):
        Options.read({"seed": 1}, only=("batch_size",))
    assert running({"batch_size": 3, "seed": 1, "progress": print}) == {"batch_size": 3}


def test_the_sampler_is_that_of_the_output_unless_told():
    default = Sampler(0.7, 3, 0.8)
    assert Options().sampler(default) == default
    assert Options(temperature=0.0, top_k=0, top_p=1.0).sampler(default) == Sampler(0.0)


def test_an_answer_is_as_long_as_is_asked_and_repeats_no_run():
    logits, end = jnp.zeros((1, 8)), 1
    form = Options(min_length=3, no_repeat_ngram=1).allowed(end=end)
    written = jnp.array([[4, 5, 0, 0]])
    assert (np.asarray(form(logits, jnp.int32(2), written))[0] == -np.inf).nonzero()[0].tolist() == [1, 4, 5]
    assert (np.asarray(form(logits, jnp.int32(3), written))[0] == -np.inf).nonzero()[0].tolist() == [0, 4, 5]
    assert Options(min_length=3).allowed(end=None) is None


def test_equal_options_are_compiled_once():
    form = below(3)
    assert Options().allowed() is None and Options(constraint=form).allowed() is form
    first, second = (Options(constraint=form, repetition_penalty=1.5).allowed() for _ in range(2))
    assert first is second and first is not form
    assert Options(repetition_penalty=1.5).allowed() is not first
