"""A model's parts and its way in: what generating, scoring and every capability stand on. Knows no modality by name.

Everything enters by the modalities' own `preprocess` and leaves by their own `detokenize`, as in training.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from unified_io.api.compiled import compiled
from unified_io.api.options import OPTIONS
from unified_io.api.rows import lay_out, needed
from unified_io.errors import CheckpointError, ConfigError, unknown
from unified_io.modalities.connected.talk import BEFORE
from unified_io.model import UnifiedIOConfig
from unified_io.vocab import PREFIXES

Vocoder = Callable[[Float[np.ndarray, "frames mels"]], Float[np.ndarray, " samples"]]
PROMPT, DIALOG = "text_inputs", "dialog"


class Engine:
    """A configuration with its parameters.

    Args:
      config: What the model is made of.
      params: Its parameters.
      vocoder: Turns a natural-log mel [frames, mels] into a waveform; without one Griffin-Lim does.
      uninitialised: Names of parameters that no checkpoint gave. With any, whatever runs the network raises.
      allow_random: Run all the same.
    """

    def __init__(
        self,
        config: UnifiedIOConfig,
        params: Any,
        vocoder: Vocoder | None = None,
        uninitialised: tuple[str, ...] = (),
        allow_random: bool = False,
    ):
        self.config = config
        self.params = params
        self.vocoder = vocoder
        self.uninitialised = tuple(uninitialised)
        self.allow_random = allow_random

    def encode(self, **inputs: Any) -> Float[np.ndarray, "tokens D"]:
        """Encoder states of one set of inputs, in the order of the config's inputs."""
        fields = [self.read(inputs)]
        config = needed(self.config, fields)
        encoded = compiled(config).encode(self._trained(), lay_out(config, fields))
        real = np.asarray(encoded.segment_ids[0]) > 0
        return np.asarray(encoded.hidden[0], np.float32)[real]

    def reconstruct(self, fields: Sequence[Any], target: str) -> list[Any]:
        """Tokenizes raw fields of a target modality and turns the tokens back: what its tokenizer keeps of them."""
        modality = self.config.target(target)
        made = [modality.preprocess({modality.fields[0]: x}, seed=0, training=False) for x in fields]
        bank = jax.tree.map(lambda *x: np.stack(x), *made)
        rendered = compiled(self.config).reconstruct(self._trained(), bank, target=target)
        return [modality.detokenize(row) for row in np.asarray(rendered)]

    def read(self, inputs: Mapping[str, Any], output: str | None = None) -> dict[str, Any]:
        """Turns inputs by modality name into raw fields, the paradigm token of `output` in front of the prompt.

        A model that reads dialogs also takes `dialog`: {"messages": [{"role": "user" or "bot", "text": …}, …]} of what
        was said before the prompt, and "system" if you like; see `modalities.connected.talk`.
        """
        known = {m.name: m for m in self.config.inputs}
        fields = {}
        for name, value in inputs.items():
            if name == DIALOG and self.reads_dialogs:
                fields[BEFORE] = value if isinstance(value, str) else json.dumps(value)
                continue
            if name not in known:
                raise unknown("input or option", name, [*known, *OPTIONS])
            if value is not None:
                fields[known[name].fields[0]] = known[name].read(value)
        prompt = fields.get(PROMPT, "")
        if output is not None and not prompt.startswith(PREFIXES):
            fields[PROMPT] = self.config.target(output).prefix + prompt
        return fields

    @property
    def reads_dialogs(self) -> bool:
        """Whether the model is told earlier turns as turns; others read them in the prompt."""
        return any(BEFORE in m.fields for m in self.config.inputs)

    def require(self, what: str, reads: Iterable[str], writes: str) -> None:
        """Raises unless the model reads and writes the modalities that `what` needs.

        Raises:
          ConfigError: It lacks one.
        """
        inputs, targets = ([m.name for m in side] for side in (self.config.inputs, self.config.targets))
        lacking = [name for name in reads if name not in inputs]
        if lacking or writes not in targets:
            need = " and ".join(
                [*(f"read {name}" for name in lacking), *([] if writes in targets else [f"write {writes}"])]
            )
            raise ConfigError(
                f"{what} needs a model that can {need}; this one reads {', '.join(inputs)} and writes "
                f"{', '.join(targets)}"
            )

    def _trained(self, allow_random: bool = False) -> Any:
        """Returns the parameters. The one place that keeps random ones from answering."""
        if self.uninitialised and not (allow_random or self.allow_random):
            count, some = len(self.uninitialised), ", ".join(self.uninitialised[:3])
            raise CheckpointError(
                f"{count} parameters were never loaded ({some}{', …' if count > 3 else ''}), so the model would "
                "answer noise; load a complete checkpoint, or give allow_random=True to see what comes out"
            )
        return self.params
