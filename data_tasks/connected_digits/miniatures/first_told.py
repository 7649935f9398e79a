"""Experiment 9: is a question answered better when the model has said first what it is shown?"""

import numpy as np

from data_tasks.connected_digits.miniatures.bench import WORDINGS, Bench, Outcome
from data_tasks.connected_digits.miniatures.media import Media
from data_tasks.connected_digits.miniatures.words import DERIVED, Example, asked, derived, described

ARMS = ("image, direct", "image, described first", "audio, direct", "audio, described first")


def run(bench: Bench, arm: str) -> Outcome:
    """Asks what follows from a digit of a connector that was taught to name digits only."""
    kind, _, way = arm.partition(", ")
    config, media = bench.plain(kind), bench.split(kind, "test")
    params = bench.taught(kind)
    said = None
    if way != "direct":
        said = bench.answers(config, params, _requests(kind, media))
    found = {
        name: bench.right(config, params, _questions(kind, media, name, said)) for name in sorted(DERIVED)
    }
    if said is None:
        return found
    names = [x["text_targets"] for x in bench.naming(kind, media)]
    named = [a == name for a, name in zip(said, names, strict=True)]
    after = {
        f"{name}, of what was described rightly": [r for r, n in zip(bits, named, strict=True) if n]
        for name, bits in found.items()
    }
    return {**found, "description": [float(n) for n in named], **after}


def _requests(kind: str, media: Media) -> list[Example]:
    return [asked(WORDINGS[kind][0], "", **{f"{kind}_inputs": value}) for value in media.values]


def _questions(kind: str, media: Media, name: str, said: list[str] | None) -> list[Example]:
    rng, found = np.random.default_rng(11), []
    for at, (value, label) in enumerate(zip(media.values, media.labels, strict=True)):
        question, answer = str(rng.choice(DERIVED[name])), derived(name, int(label[0]))
        shown = {f"{kind}_inputs": value}
        if said is None:
            found.append(asked(question, answer, **shown))
        else:
            # Nobody can have said nothing in a conversation.
            found.append(described(question, answer, WORDINGS[kind][0], said[at] or "?", **shown))
    return found
