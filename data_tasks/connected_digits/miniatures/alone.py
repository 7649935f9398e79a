"""Experiment 1: does a connector alone let a frozen language model use a medium?"""

import math
from typing import Any

import numpy as np

from data_tasks.connected_digits.miniatures.bench import Bench, Outcome, changed, without_media
from data_tasks.connected_digits.miniatures.lesson import Lesson
from data_tasks.connected_digits.miniatures.media import Media
from data_tasks.connected_digits.miniatures.parts import LANGUAGE_MODEL
from data_tasks.connected_digits.miniatures.system import system
from data_tasks.connected_digits.miniatures.words import corpus

ARMS = ("image", "audio", "image, media of others", "audio, media of others")


def run(bench: Bench, arm: str) -> Outcome:
    """Trains a connector to name digits, and asks about those of the test split."""
    kind, _, control = arm.partition(", ")
    config, train, test = bench.plain(kind), bench.split(kind, "train"), bench.split(kind, "test")
    questions = bench.naming(kind, test)
    if control:
        others = train.some(np.random.default_rng((bench.seed, 5)).permutation(len(train)))
        params, _ = bench.teach(config, bench.naming(kind, Media(others.values, train.labels)))
        return {"digit named": bench.right(config, params, questions)}
    params = bench.taught(kind)
    return {
        "digit named": bench.right(config, params, questions),
        "digit named, nothing shown": bench.right(config, params, without_media(questions)),
        "linear probe of the encoder": _probe(train, test),
        **_forgetting(bench, params),
    }


def _forgetting(bench: Bench, params: Any) -> Outcome:
    """What training a connector did to the language model and its perplexity on text that it has not read."""
    text = corpus(bench.parts.names, bench.scale.asked, bench.seed + 1000)
    measured = Lesson(config=system(), trained=(LANGUAGE_MODEL,), steps=1)
    before, after = (
        math.exp(measured.loss({LANGUAGE_MODEL: one[LANGUAGE_MODEL]}, text))
        for one in (bench.language, params)
    )
    return {
        "question of text answered": bench.right(system(), bench.language, text),
        "perplexity of text before": [before],
        "perplexity of text after": [after],
        "arrays of the language model that changed": [
            changed(bench.language[LANGUAGE_MODEL], params[LANGUAGE_MODEL])
        ],
    }


def _probe(train: Media, test: Media) -> list[float]:
    """What a linear classifier makes of the same features: the mean of the tokens, and the pooled vector."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def flat(media: Media) -> np.ndarray:
        return np.concatenate([media.values[:, :-1].mean(axis=1), media.values[:, -1]], axis=1)

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(
        flat(train), train.labels[:, 0]
    )
    return (model.predict(flat(test)) == test.labels[:, 0]).astype(float).tolist()
