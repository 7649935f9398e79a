"""What every experiment needs of one seed: connectors of the frozen parts, how they learn, and how they are asked."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_tasks.connected_digits.facts import NAMING
from data_tasks.connected_digits.miniatures.lesson import Lesson, begun
from data_tasks.connected_digits.miniatures.media import Media
from data_tasks.connected_digits.miniatures.parts import Parts
from data_tasks.connected_digits.miniatures.scale import Scale
from data_tasks.connected_digits.miniatures.stored import StoredFront, StoredMedium
from data_tasks.connected_digits.miniatures.system import WIDTH, system
from data_tasks.connected_digits.miniatures.words import Example, asked
from data_tasks.digits.words import WORDS
from unified_io import pytree
from unified_io.api import UnifiedIO
from unified_io.connected_lm import ConnectedLMConfig
from unified_io.connectors.qformer import QFormerConfig

Outcome = dict[str, list[float]]
"""What was measured, by name: a number for every question, or one for all."""

QFORMER = QFormerConfig(
    out_width=WIDTH,
    num_queries=4,
    width=64,
    num_heads=4,
    num_layers=2,
    mlp_dim=128,
    reads_instruction=False,
    dropout_rate=0.0,
)
# Which pictures and sounds are seen, and which are heard, in the words of `facts`.
WORDINGS = {"image": NAMING[:3], "audio": NAMING[3:]}
_FRAME = 13
"""Tokens of a prompt beside the soft ones, at most."""
_EACH = 4
"""Prompts in a row."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """The frozen parts of one seed, and what is done with them.

    Attributes:
      parts: Language model and features.
    """

    parts: Parts

    @property
    def seed(self) -> int:
        """Of this bench."""
        return self.parts.seed

    @property
    def scale(self) -> Scale:
        """How long things take."""
        return self.parts.scale

    def split(self, kind: str, name: str) -> Media:
        """Returns stored media; of a test split as many as are asked about, the same for every seed."""
        media = _stored(self.parts, kind)[name]
        if name == "train":
            return media
        order = np.random.default_rng(3).permutation(len(media))
        return media.some(order[: self.scale.asked])

    def medium(self, kind: str, connector: Any, **options: Any) -> StoredMedium:
        """Returns stored media of a kind with a connector; strips are pictures to the network."""
        rows, width = self.split(kind, "train").values.shape[1:]
        name = "image" if kind == "strip" else kind
        return StoredMedium(
            kind=name, front=StoredFront(tokens=rows - 1, width=width), connector=connector, **options
        )

    def naming(self, kind: str, media: Media) -> list[Example]:
        """Asks which digit each medium is, in any wording."""
        rng = np.random.default_rng((self.seed, 4))
        return [
            asked(str(rng.choice(WORDINGS[kind])), WORDS[label[0]], **{f"{kind}_inputs": value})
            for value, label in zip(media.values, media.labels, strict=True)
        ]

    def teach(
        self, config: ConnectedLMConfig, examples: Sequence[Example], given: Any = None, longer: int = 1
    ) -> tuple[Any, float]:
        """Trains all connectors of a network and nothing else; returns all parameters and the loss at the end.

        Args:
          config: The network.
          examples: What it learns from.
          given: The frozen parameters, where they are not those of the language model.
          longer: Times as many steps as others take.
        """
        soft = max(medium.slot_size for medium in config.inputs if medium.name != "text")
        trained = tuple(medium.connector_key for medium in config.inputs if medium.name != "text")
        lesson = Lesson(
            config=config,
            trained=tuple(f"shared_{name}" for name in trained),
            steps=self.scale.connector_steps * longer,
            prompt=_EACH * (_FRAME + soft),
        )
        frozen = self.language if given is None else given
        return lesson.learn(begun(config, self.seed, frozen), examples, self.seed)

    @functools.cached_property
    def language(self) -> Any:
        """The parameters of the language model."""
        return self.parts.language()

    def plain(self, kind: str) -> ConnectedLMConfig:
        """Returns the language model with a Q-Former of one kind of media."""
        return system(self.medium(kind, QFORMER))

    def taught(self, kind: str) -> Any:
        """Returns all parameters after a Q-Former of a kind has learnt, alone, to name digits and nothing else.

        They are kept, as several experiments ask them.
        """

        def make() -> Any:
            params, loss = self.teach(self.plain(kind), self.naming(kind, self.split(kind, "train")))
            print(f"seed {self.seed}: Q-Former of {kind}, loss {loss:.3f}", flush=True)
            return params

        return self.parts.kept(f"{kind}_taught", make)

    def answers(self, config: ConnectedLMConfig, params: Any, examples: Sequence[Example]) -> list[str]:
        """Returns what a network answers, the likeliest token at a time."""
        return UnifiedIO(config, params).generate_fields(examples, "text", max_length=8, batch_size=64)

    def right(self, config: ConnectedLMConfig, params: Any, examples: Sequence[Example]) -> list[float]:
        """Says of every example whether its answer is the right one, to the letter."""
        said = self.answers(config, params, examples)
        return [float(a == x["text_targets"]) for a, x in zip(said, examples, strict=True)]


def without_media(examples: Sequence[Example]) -> list[Example]:
    """Returns the same questions with nothing shown."""
    words = ("text_inputs", "text_targets", "dialog_inputs")
    return [{key: value for key, value in example.items() if key in words} for example in examples]


def changed(before: Any, after: Any) -> float:
    """Counts the parameters' arrays that are no longer the same, bit for bit."""
    old, new = pytree.named_leaves(before), pytree.named_leaves(after)
    return float(sum(np.asarray(old[name]).tobytes() != np.asarray(new[name]).tobytes() for name in old))


@functools.lru_cache(maxsize=12)
def _stored(parts: Parts, kind: str) -> dict[str, Media]:
    return parts.features(kind)
