"""METEOR by hand and against nltk, whose pairing and parameters it has; every part by its name."""

import random

import pytest

from unified_io.errors import ConfigError
from unified_io.evaluation import meteor as module
from unified_io.evaluation.meteor import Meteor, meteor, meteor_here

HERE = "the cat sat on the mat"


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        (HERE, HERE, 1 - 0.5 / 6**3),  # 6 pairs in 1 chunk
        ("The cat, sat. On the mat!", HERE, 1 - 0.5 / 6**3),
        ("on the mat sat the cat", HERE, 0.5),  # the last "the" first, so that no two pairs are in order
        ("the mat the cat sat on", HERE, 1 - 0.5 * (4 / 6) ** 3),  # the, mat, the, cat sat on
        ("cat", HERE, 0.5 * (1 / 6) / (0.9 + 0.1 / 6)),  # P 1, R 1/6, one chunk of one pair
        ("a dog", HERE, 0.0),
        ("", HERE, 0.0),
        (HERE, "", 0.0),
    ],
)
def test_by_hand(answer, reference, score):
    assert Meteor()(answer, reference) == pytest.approx(score)


def test_of_several_references_the_best_counts():
    assert Meteor()("a cat", ["two dogs run", "a cat"]) == pytest.approx(1 - 0.5 / 8)
    assert Meteor()("a cat", []) == 0.0


def test_stems_and_synonyms_pair_what_words_do_not():
    cut = Meteor(stem=lambda word: word.rstrip("s"))
    told = Meteor(synonyms=lambda word: {"automobile"} if word == "car" else set())
    assert Meteor()("two cars", "two car") == pytest.approx(0.5 * 0.5)
    assert cut("two cars", "two car") == pytest.approx(1 - 0.5 / 8)
    assert told("two car", "two automobile") == pytest.approx(1 - 0.5 / 8)
    assert told("two automobile", "two car") == pytest.approx(
        0.25
    )  # synonyms are those of the answer's words


def test_of_several_synonyms_the_last_is_taken():
    told = Meteor(synonyms=lambda word: {"auto", "wagon"} if word == "car" else set())
    recall = 2 / 3  # one chunk of two pairs: "red wagon"
    assert told("red car", "auto red wagon") == pytest.approx((1 - 0.5 / 8) * recall / (0.9 + 0.1 * recall))


def _texts(seed):
    draw = random.Random(seed)
    words = [
        "the",
        "cat",
        "cats",
        "sat",
        "sitting",
        "on",
        "mat",
        "mats",
        "running",
        "runs",
        "car",
        "auto",
        "quick",
    ]
    return [" ".join(draw.choices(words, k=draw.randint(1, 9))) for _ in range(2)]


class _Net:
    """A WordNet of two words."""

    def synsets(self, word):
        names = {"car": ["auto", "motor_car"], "auto": ["car"]}.get(word, [])
        return [
            type(
                "Synset",
                (),
                {"lemmas": lambda self: [type("L", (), {"name": lambda s, n=n: n})() for n in names]},
            )()
        ]


def test_against_nltk():
    theirs = pytest.importorskip("nltk.translate.meteor_score").single_meteor_score
    stem = meteor(synonyms=False).each.stem
    ours = Meteor(stem, lambda word: {"car": {"auto"}, "auto": {"car"}}.get(word, set()))
    for seed in range(300):
        answer, reference = _texts(seed)
        wanted = theirs(reference.split(), answer.split(), wordnet=_Net())
        assert ours(answer, reference) == pytest.approx(wanted, abs=1e-12), (answer, reference)


def test_the_published_example():
    pytest.importorskip("nltk")
    answer = "It is a guide to action which ensures that the military always obeys the commands of the party"
    reference = "It is a guide to action that ensures that the military will forever heed Party commands"
    assert meteor(synonyms=False).total([answer], [reference]) == pytest.approx(
        0.6944, abs=1e-4
    )  # in nltk's manual


def test_the_name_says_the_parts():
    assert meteor(stem=False, synonyms=False).name == "meteor_exact"
    assert meteor(synonyms=False).name == "meteor_exact_stem"
    assert Meteor(str, set).name == "meteor_exact_stem_synonyms"
    assert meteor_here().name in ("meteor_exact_stem", "meteor_exact_stem_synonyms")


def test_a_part_that_is_not_there_is_named(monkeypatch):
    def missing(name, purpose):
        if name == "nltk.corpus":
            raise ConfigError(f"{purpose} need {name}")
        return real(name, purpose)

    real = module.library
    monkeypatch.setattr(module, "library", missing)
    module._wordnet.cache_clear()
    with pytest.raises(ConfigError, match="synonyms need nltk.corpus"):
        meteor()
    assert meteor_here().name == "meteor_exact_stem"


def test_data_that_is_not_there_is_asked_for(monkeypatch):
    class Net:
        def ensure_loaded(self):
            raise LookupError

    monkeypatch.setattr(module, "library", lambda name, purpose: type("Corpus", (), {"wordnet": Net()}))
    module._wordnet.cache_clear()
    with pytest.raises(ConfigError, match="nltk.downloader wordnet"):
        meteor(stem=False)
    module._wordnet.cache_clear()


def test_data_that_is_there_is_read(monkeypatch):
    class Net:
        def ensure_loaded(self):
            pass

        def synsets(self, word):
            names = ["Auto", "motor_car"] if word == "car" else []
            return [type("Synset", (), {"lemma_names": lambda self: names})()]

    monkeypatch.setattr(module, "library", lambda name, purpose: type("Corpus", (), {"wordnet": Net()}))
    module._wordnet.cache_clear()
    metric = meteor(stem=False)
    assert metric.name == "meteor_exact_synonyms"
    assert metric.total(["the car"], ["the auto"]) == pytest.approx(1 - 0.5 / 8)
    module._wordnet.cache_clear()
