"""Words about states: a phrase means one thing, an answer is the one computed anew, and blind answers do not pay."""

import json
from collections import Counter, defaultdict

import numpy as np
import pytest

from data_tasks.toy import captions, commands, instructions, phrases, questions, splits, still, told, truth
from data_tasks.toy.camera import to_camera
from data_tasks.toy.render import render

TRAIN = splits.SPLITS["train"]


def drawn(name="train", count=40, **plan):
    for index in range(count):
        rng = splits.generator(name, index, "language")
        state = splits.SPLITS[name].draw(rng, **plan)
        yield state, truth.owners(state, render(state, 48).ids), rng


def words(state, number):
    """Size, pattern, colour and shape of a thing, from its numbers."""
    thing = state.things[number]
    size = "large" if thing.size > 0.4 else "small"
    pattern = {"plain": "plain", "stripes": "striped", "checks": "checkered"}[thing.texture]
    return [size, pattern, thing.colour, thing.shape]


def meant(text, state, seen):
    """The things that a phrase without a place means: every word of it is true of them."""
    said = text.replace("things", "").replace("thing", "").split()
    said = [word.removesuffix("s") if word.removesuffix("s") in phrases.PLURALS else word for word in said]
    return [number for number in seen if all(word in words(state, number) for word in said)]


def stands(state, first, second):
    """Where the first stands, seen from the second, from their places in the camera's frame; None if in doubt."""
    a, b = (state.things[number].position for number in (first, second))
    if a[:2] == b[:2]:
        return "on" if a[2] > b[2] else "under"
    if a[2] or b[2]:
        return None
    # On the floor, the way to the right is that of the picture; the other is what is left of the camera's axis.
    right = (to_camera(state.camera, a) - to_camera(state.camera, b))[0]
    away = np.sqrt(max(0.0, (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 - right**2))
    if (to_camera(state.camera, a) - to_camera(state.camera, b))[2] < 0:
        away = -away
    if abs(right) >= max(0.2, 2 * abs(away)):
        return "right of" if right > 0 else "left of"
    if abs(away) >= max(0.2, 2 * abs(right)):
        return "behind" if away > 0 else "in front of"
    return None


def test_every_phrase_means_one_thing():
    placed = 0
    for state, seen, rng in drawn(count=60):
        for number in seen:
            phrase = phrases.referring(state, number, seen, rng)
            for predicate in truth.PREDICATES:
                head, found, mark = phrase.partition(f" {predicate} the ")
                if found:
                    (landmark,) = meant(mark, state, seen)
                    rivals = [n for n in meant(head, state, seen) if n != landmark]
                    assert [n for n in rivals if stands(state, n, landmark) == predicate] == [number]
                    assert None not in [stands(state, n, landmark) for n in rivals]
                    placed += 1
                    break
            else:
                assert meant(phrase, state, seen) == [number], phrase
    assert placed > 5


def test_phrases_are_as_short_as_can_be():
    for state, seen, _ in drawn():
        for number in seen:
            (first, *_) = shortest = phrases.shortest(state, number, seen)
            count = sum(word is not None for word in first)
            assert {sum(word is not None for word in one) for one in shortest} == {count}
            if count > 1:
                own = words(state, number)
                assert all(len(meant(word, state, seen)) > 1 for word in own)


def test_relations_are_those_seen_and_come_in_pairs():
    found = Counter()
    for state, seen, _ in drawn(count=60):
        listed = {(i, j): said for i, said, j in truth.relations(state, seen)}
        for i, first in enumerate(seen):
            for j, second in enumerate(seen):
                if i != j:
                    assert listed.get((i, j)) == stands(state, first, second)
        for (i, j), said in listed.items():
            assert listed[j, i] == truth.INVERSE[said]
            found[said] += 1
    assert set(found) == set(truth.PREDICATES)


@pytest.mark.parametrize("held_out", [False, True])
def test_captions_tell_facts_that_are_true(held_out):
    told = set()
    for state, seen, rng in drawn():
        caption = captions.caption(state, seen, held_out, rng)
        told.add(caption.split()[0])
        true = Counter((state.things[n].colour, state.things[n].shape) for n in seen)
        assert captions.facts(caption) == true, caption
    assert len(told) > 3 or held_out


def test_held_out_grammars_are_never_met_in_training():
    for state, seen, rng in drawn(count=60):
        known = captions.caption(state, seen, False, rng)
        assert "camera looks at" not in known and not known.startswith("with ")
        unknown = captions.caption(state, seen, True, rng)
        assert "camera looks at" in unknown or unknown.startswith("with ")


def answer(kind, program, state, seen):
    """The answer to a question, computed anew from the state alone."""

    def fit(wanted):
        return [n for n in seen if all(w in (None, o) for w, o in zip(wanted, words(state, n), strict=True))]

    match kind:
        case "exists":
            return "yes" if fit(program["filter"]) else "no"
        case "count":
            return str(len(fit(program["filter"])))
        case "colour" | "shape" | "size":
            return words(state, program["thing"])[{"size": 0, "colour": 2, "shape": 3}[kind]]
        case "more":
            first, second = map(fit, program["filters"])
            return "yes" if len(first) > len(second) else "no"
        case "same":
            a, b = (words(state, number)[program["attribute"]] for number in program["things"])
            return "yes" if a == b else "no"
        case "where":
            return stands(state, *program["things"])
        case "is_at":
            return "yes" if stands(state, *program["things"]) == program["predicate"] else "no"
        case "larger":
            large, small = program["things"]
            assert state.things[large].size > state.things[small].size + 0.1
            return None


@pytest.fixture(scope="module")
def asked():
    """Questions as records ask them: kind and aim first, states until one fits."""
    found = defaultdict(list)
    for index in range(600):
        rng = splits.generator("train", index, "asked")
        kind, aim = questions.KINDS[index % len(questions.KINDS)], float(rng.random())
        for _ in range(60):
            state = TRAIN.draw(rng)
            seen = [*state.present]
            question = questions.ask(kind, state, seen, TRAIN, aim, rng)
            if question is not None:
                found[kind].append((question, state, seen))
                break
    return found


@pytest.mark.parametrize("kind", questions.KINDS)
def test_answers_are_those_computed_anew(asked, kind):
    assert len(asked[kind]) > 40
    for question, state, seen in asked[kind]:
        assert question.answer in question.options and len(set(question.options)) == len(question.options)
        expected = answer(kind, question.program, state, seen)
        if kind == "larger":
            assert meant(question.answer, state, seen) == question.program["things"][:1]
        else:
            assert question.answer == expected, question
        # Whoever is spoken of is meant by the words.
        for number in question.program.get("things", [])[:2]:
            named = [part for part in question.question.replace("?", "").replace(",", "").split(" the ")[1:]]
            assert any(number in meant(_first_phrase(part), state, seen) for part in named)


def test_four_distractors_where_there_are_as_many():
    for state, seen, rng in drawn(count=10):
        question = questions.ask("colour", state, seen, TRAIN, 0.3, rng)
        assert question is None or len(question.options) == 5


@pytest.mark.parametrize("kind", ["exists", "more", "same", "is_at"])
def test_yes_and_no_are_balanced(asked, kind):
    share = np.mean([question.answer == "yes" for question, _, _ in asked[kind]])
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(len(asked[kind]))


def test_no_answer_is_likely_blind(asked):
    """What is asked (the question without its things) tells little about the answer."""
    for kind, most in (("where", 0.45), ("colour", 0.35), ("shape", 0.45), ("count", 0.5), ("size", 0.75)):
        answers = Counter(question.answer for question, _, _ in asked[kind])
        assert answers.most_common(1)[0][1] / answers.total() < most, answers
    places = [question.options.index(question.answer) for question, _, _ in asked["larger"]]
    assert 0.2 < np.mean(places) < 0.8


def test_no_text_of_training_names_what_is_held_out():
    held = [f"{colour} {shape}" for shape, colour in splits.HELD_OUT_PAIRS]
    for index in range(40):
        rng = splits.generator("train", index, "texts")
        texts = [json.dumps(still.scene(TRAIN, rng, 24), default=str)]
        texts.append(json.dumps(told.question(TRAIN, rng, 24), default=str))
        texts.append(json.dumps(told.edit(TRAIN, rng, 24), default=str))
        texts.append(told.text(TRAIN, rng, 24)["text"])
        for text in texts:
            assert "capsule" not in text
            assert not any(pair in text for pair in held)


@pytest.mark.parametrize("name", ["train", "test", "novel_shape"])
def test_commands_change_what_they_say(name):
    kinds = set()
    split = splits.SPLITS[name]
    for state, seen, rng in drawn(name, 40):
        command = commands.draw(state, seen, split, rng)
        if command is None:
            continue
        kinds.add(command.kind)
        after, text = command.after, command.text
        assert split.owns([after])
        changed = [n for n, thing in enumerate(state.things) if after.things[n] != thing]
        if command.kind == "add":
            assert not changed and len(after.things) == len(state.things) + 1
            new = after.things[-1]
            assert f"{new.size_word} {new.colour} {new.shape}" in text
            predicate = next(p for p in questions.FLOOR if f" {p} the " in text)
            (beside,) = meant(text.partition(f" {predicate} the ")[2], state, seen)
            assert stands(after, len(after.things) - 1, beside) == predicate
            continue
        (number,) = changed
        old, new = state.things[number], after.things[number]
        match command.kind:
            case "recolour":
                assert new.colour in text and new.colour != old.colour
            case "repaint":
                assert words(after, number)[1] in text
            case "reshape":
                assert new.shape in text and new.shape != old.shape
            case "resize":
                assert new.size_word in text and new.size_word != old.size_word
            case "remove":
                assert not new.there
            case "move":
                right, away = truth.along(state.camera, new, old)
                wanted = {"left": (-1, 0), "right": (1, 0), "closer": (0, -1), "away": (0, 1)}
                word = next(word for word in wanted if word in text.split()[-1])
                np.testing.assert_allclose([right, away], np.array(wanted[word]) * commands.STEP, atol=1e-9)
    assert len(kinds) >= 5


def test_responses_can_be_computed_anew():
    kinds = set()
    for state, seen, rng in drawn(count=60):
        kind, instruction, response = instructions.draw(state, seen, False, rng)
        kinds.add(kind)
        all_words = [words(state, n) for n in seen]
        match kind:
            case "by_size":
                rows = [(["small", "large"].index(w[0]), w[2], w[3]) for w in all_words]
                listed = [
                    (["small", "large"].index(e["size"]), e["colour"], e["shape"])
                    for e in json.loads(response)
                ]
                assert listed == sorted(rows)
            case "count_shapes":
                assert json.loads(response) == Counter(w[3] for w in all_words)
            case "colours":
                assert response.split(", ") == sorted({w[2] for w in all_words})
            case "large_small":
                large = sum(w[0] == "large" for w in all_words)
                numbers = ["no", "one", "two", "three", "four"]
                assert response == (
                    f"{numbers[len(seen)]} in all: {numbers[large]} large and {numbers[len(seen) - large]} small"
                )
            case "left_to_right":
                right = {n: to_camera(state.camera, state.things[n].position)[0] for n in seen}
                order = sorted(seen, key=right.get)
                assert response.split("\n") == [
                    " ".join([words(state, n)[i] for i in (0, 2, 3)]) for n in order
                ]
    assert kinds == set(instructions.KINDS)


def _first_phrase(text):
    for end in (" or", " and", " have", " seen", *(f" {p}" for p in truth.PREDICATES)):
        text = text.split(end)[0]
    return text
