"""Experiment 6: are connectors that were trained apart understood together?"""

import functools

import numpy as np

from data_tasks.connected_digits.facts import COMPARING
from data_tasks.connected_digits.miniatures.bench import QFORMER, Bench, Outcome
from data_tasks.connected_digits.miniatures.media import Media
from data_tasks.connected_digits.miniatures.system import system
from data_tasks.connected_digits.miniatures.words import SAME, Example, asked, same
from data_tasks.digits.words import WORDS

ARMS = ("both media", "captions", "true words", "nothing shown")


def run(bench: Bench, arm: str) -> Outcome:
    """Asks about a picture and a sound at once; comparing is known from text only."""
    config = system(bench.medium("image", QFORMER), bench.medium("audio", QFORMER))
    params = {**bench.taught("image"), **bench.taught("audio")}  # of the same language model
    seen, heard = bench.split("image", "test"), bench.split("audio", "test")
    show = functools.partial(_shown, bench, config, params, arm, seen, heard)
    return {name: bench.right(config, params, show(name)) for name in ("larger digit", "same digit or not")}


def _shown(bench: Bench, config, params, arm: str, seen: Media, heard: Media, name: str) -> list[Example]:
    """Every question with the media, with what the model itself says each is, with the truth, or with nothing."""
    pairs, rng = _pairs(seen, heard, equal=name != "larger digit"), np.random.default_rng(10)
    captions = {
        kind: bench.answers(config, params, bench.naming(kind, media))
        for kind, media in (("image", seen), ("audio", heard))
        if arm == "captions"
    }
    found = []
    for one, other in pairs:
        digits = seen.labels[one, 0], heard.labels[other, 0]
        question, answer = (
            (rng.choice(COMPARING), WORDS[max(digits)])
            if name == "larger digit"
            else (rng.choice(SAME), same(*digits))
        )
        media, words = {}, ""
        if arm == "both media":
            media = {"image_inputs": seen.values[one], "audio_inputs": heard.values[other]}
        elif arm == "captions":
            words = f"{captions['image'][one]} {captions['audio'][other]} "
        elif arm == "true words":
            words = f"{WORDS[digits[0]]} {WORDS[digits[1]]} "
        found.append(asked(f"{words}{question}", answer, **media))
    return found


def _pairs(seen: Media, heard: Media, *, equal: bool) -> list[tuple[int, int]]:
    """For every picture a sound: of another digit, or where `equal` of the same one every other time."""
    rng, found = np.random.default_rng(9), []
    for one, label in enumerate(seen.labels[:, 0]):
        alike = heard.labels[:, 0] == label
        wanted = alike if equal and one % 2 == 0 and alike.any() else ~alike
        found.append((one, int(rng.choice(np.flatnonzero(wanted)))))
    return found
