"""Two scores are compared only if all they depend on is the same, and otherwise the reader learns what is not."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.evaluation import fingerprint
from unified_io.evaluation.fingerprint import Fingerprint, difference, from_json

ONE = Fingerprint(
    task="toy_caption",
    metric="cider",
    prompt=fingerprint.digest(["say what you see"]),
    decoding={"temperature": 0.0, "beams": 1, "stop": [1, 2]},
    preprocessing={"image": {"side": 64}, "text_targets": 32},
    data=fingerprint.digest(["scene 1", b"\x00"]),
    version="0.1.0",
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_json_there_and_back(values):
    one = dataclasses.replace(ONE, decoding=values)
    assert from_json(one.to_json()) == one
    assert difference(one, from_json(one.to_json())) == []
    assert Fingerprint(**json.loads(json.dumps(dataclasses.asdict(one)))).short == one.short


def test_tuples_and_lists_are_the_same():
    assert dataclasses.replace(ONE, decoding={"stop": (1, 2)}) == dataclasses.replace(
        ONE, decoding={"stop": [1, 2]}
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": "bleu"}, 'metric is "cider" in the first and "bleu" in the second'),
        ({"task": "toy_qa"}, 'task is "toy_caption" in the first and "toy_qa" in the second'),
        ({"prompt": "0"}, "other wordings (prompt)"),
        ({"data": "0"}, "other examples (data)"),
        ({"version": "0.2.0"}, 'version is "0.1.0" in the first and "0.2.0" in the second'),
        (
            {"decoding": {"temperature": 1.0, "beams": 1, "stop": [1, 2]}},
            "decoding.temperature is 0.0 in the first and 1.0 in the second",
        ),
        (
            {"decoding": {"beams": 1, "stop": [1, 2]}},
            "decoding.temperature is 0.0 in the first and not set in the second",
        ),
        (
            {"preprocessing": {"image": {"side": 96}, "text_targets": 32}},
            "preprocessing.image.side is 64 in the first and 96 in the second",
        ),
    ],
)
def test_says_what_differs(changes, words):
    other = dataclasses.replace(ONE, **changes)
    assert difference(ONE, other) == [words]
    assert other.short != ONE.short


def test_names_every_difference():
    other = dataclasses.replace(ONE, data="0", prompt="0")
    assert difference(ONE, other) == ["other wordings (prompt)", "other examples (data)"]


def test_an_absent_value_is_not_null():
    assert difference(
        dataclasses.replace(ONE, decoding={}), dataclasses.replace(ONE, decoding={"seed": None})
    ) == ["decoding.seed is not set in the first and null in the second"]


def test_a_hash_knows_where_a_part_ends():
    assert fingerprint.digest(["ab", "c"]) != fingerprint.digest(["a", "bc"])
    assert fingerprint.digest(["ab"]) != fingerprint.digest(["ab", ""])
    assert fingerprint.digest(["ä"]) == fingerprint.digest(["ä".encode()])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "no JSON"),
        ("[]", "wanted"),
        ('{"task": "a"}', "run the evaluation again"),
        (json.dumps({**dataclasses.asdict(ONE), "gpu": "H200"}), "wanted"),
        (json.dumps({**dataclasses.asdict(ONE), "prompt": 3}), "wanted text"),
        (json.dumps({**dataclasses.asdict(ONE), "decoding": "greedy"}), "names with values"),
    ],
)
def test_refuses_what_is_no_fingerprint(line, words):
    with pytest.raises(DataError, match=words):
        from_json(line)


def test_refuses_values_without_json():
    with pytest.raises(DataError, match="no JSON"):
        dataclasses.replace(ONE, decoding={"rng": object()})
    with pytest.raises(DataError, match="no JSON"):
        dataclasses.replace(ONE, decoding={"temperature": float("nan")})
