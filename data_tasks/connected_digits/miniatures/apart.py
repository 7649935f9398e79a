"""Experiment 6: are connectors that were trained apart understood together?"""

from typing import Any

import numpy as np

from data_tasks.connected_digits.facts import COMPARING
from data_tasks.connected_digits.miniatures.bench import QFORMER, Bench, Outcome
from data_tasks.connected_digits.miniatures.media import Media
from data_tasks.connected_digits.miniatures.system import system
from data_tasks.connected_digits.miniatures.words import SAME, asked, same
from data_tasks.digits.words import WORDS

ARMS = ("both media", "captions", "true words", "nothing shown")


def run(bench: Bench, arm: str) -> Outcome:
    """Asks about a picture and a sound at once; comparing is known from text only."""
    config = system(bench.medium("image", QFORMER), bench.medium("audio", QFORMER))
    params = {**bench.taught("image"), **bench.taught("audio")}  # of the same language model
    seen, heard = bench.split("image", "test"), bench.split("audio", "test")
    captions = [[], []]
    if arm == "captions":
        captions = [
            bench.answers(config, params, bench.naming(kind, media))
            for kind, media in (("image", seen), ("audio", heard))
        ]

    def shown(one: int, other: int) -> tuple[str, dict[str, Any]]:
        """Words and media in front of a question."""
        if arm == "both media":
            return "", {"image_inputs": seen.values[one], "audio_inputs": heard.values[other]}
        if arm == "captions":
            return f"{captions[0][one]} {captions[1][other]} ", {}
        if arm == "true words":
            return f"{WORDS[seen.labels[one, 0]]} {WORDS[heard.labels[other, 0]]} ", {}
        return "", {}

    found = {}
    for name, ask in _QUESTIONS.items():
        rng, examples = np.random.default_rng(10), []
        for one, other in _pairs(seen, heard, equal=ask is _same):
            words, media = shown(one, other)
            question, answer = ask(rng, int(seen.labels[one, 0]), int(heard.labels[other, 0]))
            examples.append(asked(words + question, answer, **media))
        found[name] = bench.right(config, params, examples)
    return found


def _larger(rng: np.random.Generator, one: int, other: int) -> tuple[str, str]:
    return str(rng.choice(COMPARING)), WORDS[max(one, other)]


def _same(rng: np.random.Generator, one: int, other: int) -> tuple[str, str]:
    return str(rng.choice(SAME)), same(one, other)


_QUESTIONS = {"larger digit": _larger, "same digit or not": _same}


def _pairs(seen: Media, heard: Media, *, equal: bool) -> list[tuple[int, int]]:
    """For every picture a sound: of another digit, or where `equal` of the same one every other time."""
    rng, found = np.random.default_rng(9), []
    for one, label in enumerate(seen.labels[:, 0]):
        alike = heard.labels[:, 0] == label
        wanted = alike if equal and one % 2 == 0 and alike.any() else ~alike
        found.append((one, int(rng.choice(np.flatnonzero(wanted)))))
    return found
