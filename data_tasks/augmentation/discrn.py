"""All steps of DisCRn over a table of captions: properties, pairs, questions, each in a log to go on with."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from data_tasks.augmentation import log
from data_tasks.augmentation.captions import Ask
from data_tasks.augmentation.contrasting import Contrasting, properties
from data_tasks.augmentation.contrasts import Contrast, Side, balanced
from data_tasks.augmentation.pairing import partners

PROPERTIES, CONTRASTS = "properties.jsonl", "contrasts.jsonl"


def build(
    captions: Mapping[str, str],
    ask: Ask,
    embed: Callable[[Sequence[str]], np.ndarray],
    folder: Path,
    *,
    contrasting: Contrasting = Contrasting(),
    seed: int = 0,
    candidates: int = 100,
    nearest: int = 10,
) -> dict[str, Counter[str]]:
    """Writes the logs of a folder, or goes on with them; returns what was kept and dropped in each.

    Args:
      captions: id -> caption.
      ask: A language model.
      embed: Captions -> one vector each.
      folder: Where the logs lie.
      contrasting: Writes a question about two things.
      seed: Of the pairs.
      candidates: As `pairing.partners`.
      nearest: As `pairing.partners`.

    Raises:
      DataError: A log is broken, or there are not two things with properties.
    """
    about, asked = folder / PROPERTIES, folder / CONTRASTS
    listed = log.extend(
        about, captions.items(), lambda text: {"caption": text, "properties": properties(text, ask)}
    )
    sides = [
        Side(one["id"], one["caption"], tuple(one["properties"]))
        for one in log.kept(about)
        if one["id"] in captions
    ]
    rng = np.random.default_rng(seed)
    others = partners(np.asarray(embed([side.caption for side in sides])), rng, candidates, nearest)
    pairs = ((f"{side.id} {sides[i].id}", (side, sides[i])) for side, i in zip(sides, others, strict=True))
    written = log.extend(asked, pairs, lambda two: dataclasses.asdict(contrasting(two, ask)))
    return {PROPERTIES: listed, CONTRASTS: written}


def read(folder: Path) -> list[Contrast]:
    """Returns the questions of a folder that were kept, the right side being the first in every other one."""
    return balanced(
        [
            Contrast(
                line["question"],
                line["answer"],
                line["explanation"],
                tuple(Side(name, caption, tuple(about)) for name, caption, about in line["sides"]),
            )
            for line in log.kept(folder / CONTRASTS)
        ]
    )
