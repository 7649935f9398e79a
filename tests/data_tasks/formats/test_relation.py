"""Relations of pairs, and of everything that one thing or one class has to do with."""

import numpy as np
import pytest

from data_tasks.formats.relation import ASKS, LISTED, PLACED, Relate
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, picture, raw
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.text import EXACT
from unified_io.structures import boxes_to_text, text_to_boxes

NAMES = ["cup", "table", "dog", "cup"]
BOXES = [[0.1, 0.1, 0.3, 0.3], [0.3, 0.0, 0.8, 0.8], [0.6, 0.6, 1.0, 1.0], [0.1, 0.5, 0.3, 0.7]]
RELATIONS = [[0, "on", 1], [3, "on", 1], [0, "left of", 3], [2, "under", 1], [0, "touching", 1]]


def scene(**other):
    return raw(**{"image": picture(24, 24), "boxes": BOXES, "names": NAMES, "relations": RELATIONS, **other})


@pytest.mark.parametrize("ask", ASKS)
def test_laws(ask):
    check_laws(Relate(f"relation_{ask}", ask), scene())


@pytest.mark.parametrize("ask", ASKS)
def test_the_true_answer_scores_best_and_another_less(ask):
    # Boxes are read back from their bins: they overlap by far more than one half.
    form = Relate(f"relation_{ask}", ask)
    examples = [scene()] * 6
    assert oracle(form, examples) == best(form)
    for wrong in ("behind", "", "<extra_id_300> " * 2 + "<extra_id_200> " * 2 + "inside out"):
        assert all(score == 0.0 for score in oracle(form, examples, wrong).values())


def test_a_pair_has_all_its_relations():
    form, found = Relate("relation_pair", "pair"), {}
    for seed in range(40):
        fields = made(form, scene(), seed, training=False)
        boxes = text_to_boxes(fields["text_inputs"]).boxes
        pair = tuple(int(np.abs(np.array(BOXES) - box).sum(1).argmin()) for box in boxes)
        found[pair] = form.truth(fields)
    assert found == {(0, 1): ["on", "touching"], (3, 1): ["on"], (0, 3): ["left of"], (2, 1): ["under"]}


def test_names_stand_for_all_things_of_that_name():
    form, found = Relate("relation_phrases", "phrases"), {}
    for seed in range(40):
        fields = made(form, scene(), seed, training=False)
        found[fields["text_inputs"].count("cup"), "dog" in fields["text_inputs"]] = form.truth(fields)
    assert found == {(1, False): ["on", "touching"], (2, False): ["left of"], (0, True): ["under"]}


def test_statements_are_true_as_often_as_false():
    form, said = Relate("relation_yes_no", "yes_no"), []
    true = {f"{NAMES[i]} {how} {NAMES[j]}" for i, how, j in RELATIONS}
    for seed in range(200):
        fields = made(form, scene(), seed)
        answer = fields["text_targets"]
        assert any(one in fields["text_inputs"] for one in true) == (answer == "yes"), fields["text_inputs"]
        assert form.options(fields) == ["yes", "no"]
        said.append(answer == "yes")
    assert 70 < sum(said) < 130
    assert form.parse("Yes.", fields) == "yes"


def test_one_relation_of_two_things_is_turned_round():
    two = scene(boxes=BOXES[:2], names=["cup", "table"], relations=[[0, "on", 1]])
    said = {made(Relate("relation_yes_no", "yes_no"), two, seed)["text_targets"]: seed for seed in range(20)}
    prompt = made(Relate("relation_yes_no", "yes_no"), two, said["no"])["text_inputs"]
    assert "table on cup" in prompt


def test_all_relations_of_one_thing():
    form, found = Relate("relation_object", "object"), {}
    for seed in range(40):
        fields = made(form, scene(), seed, training=False)
        (box,) = text_to_boxes(fields["text_inputs"]).boxes[:1]
        thing = int(np.abs(np.array(BOXES) - box).sum(1).argmin())
        assert NAMES[thing] in fields["text_inputs"]
        truth = form.truth(fields)
        found[thing] = dict(zip(truth["labels"], np.round(truth["boxes"], 2).tolist(), strict=True))
    assert found[0] == {"on table": BOXES[1], "touching table": BOXES[1], "left of cup": BOXES[3]}
    assert found[2] == {"under table": BOXES[1]}
    assert found[3] == {"on table": BOXES[1], "cup left of it": BOXES[0]}


def test_all_relations_of_a_class_name_the_instance():
    form, found = Relate("relation_class", "class"), {}
    for seed in range(30):
        fields = made(form, scene(), seed, training=False)
        truth = form.truth(fields)
        found[len(truth["labels"])] = list(
            zip(truth["labels"], np.round(truth["boxes"], 2).tolist(), strict=True)
        )
    cups = [
        (["on table", BOXES[0]]),
        ["on table", BOXES[3]],
        ["left of cup", BOXES[0]],
        ["touching table", BOXES[0]],
    ]
    assert sorted(map(list, found[4])) == sorted(cups)
    assert found[1] == [("under table", BOXES[2])]


def test_lists_are_judged_by_words_and_by_places():
    form = Relate("relation_class", "class")
    example = scene(relations=[[0, "on", 1], [2, "under", 1]])
    right = made(form, example, 1, training=False)
    truth = form.truth(right)
    (name,) = truth["labels"]
    elsewhere = form.parse(boxes_to_text([[0.9, 0.9, 1.0, 1.0]], [name]), right)
    assert LISTED.total([elsewhere], [truth]) == 1.0
    assert PLACED.total([elsewhere], [truth]) == 0.0
    too_many = form.parse(right["text_targets"] + " " + boxes_to_text([BOXES[0]], ["of no use"]), right)
    assert LISTED.total([too_many], [truth]) == pytest.approx(2 / 3)
    assert PLACED.total([too_many], [truth]) == 0.5


def test_training_shuffles_a_list_and_evaluation_does_not():
    form = Relate("relation_class", "class")
    cups = scene(relations=[relation for relation in RELATIONS if relation[0] != 2])
    assert len({tuple(made(form, cups, seed, training=False)["text_targets"]) for seed in range(9)}) == 1
    orders = {tuple(form.truth(made(form, cups, seed))["labels"]) for seed in range(20)}
    assert len(orders) > 2


@pytest.mark.parametrize(
    "relation", [[0, "on", 9], [-1, "on", 1], ["cup", "on", "table"], [0, " ", 1], [0, 1], 7]
)
def test_broken_relations_are_refused(relation):
    with pytest.raises(DataError, match="relations"):
        made(Relate("relation_pair"), scene(relations=[relation]))


def test_useless_examples_are_refused():
    with pytest.raises(DataError, match="relations"):
        made(Relate("relation_pair"), scene(relations=[]))
    with pytest.raises(DataError, match="names has 0 entries for 4 boxes"):
        made(Relate("relation_pair"), scene(names=[]))
    poor = scene(boxes=BOXES[:2], names=["ball", "cube"], relations=[[0, "near", 1]])
    for seed in range(10):
        with pytest.raises(DataError, match="too poor"):
            made(Relate("relation_yes_no", "yes_no"), poor, seed, training=False)
    with pytest.raises(ConfigError, match="did you mean 'phrases'"):
        Relate("relation_pair", "phrase")


def test_an_answer_in_another_case_is_right():
    assert (
        oracle(Relate("relation_phrases", "phrases"), [scene(relations=[[0, "on", 1]])], " ON. ")[EXACT.name]
        == 1.0
    )
