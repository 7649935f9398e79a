"""A trained model as people use it: load it, hand over files or arrays, get text, pictures, sound or actions back."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from unified_io.api.actions import Actions
from unified_io.api.asked import Asked
from unified_io.api.describing import Describing
from unified_io.api.language import Language
from unified_io.api.people import People
from unified_io.api.pictures import Pictures
from unified_io.api.sound import Sound
from unified_io.api.streaming import Streaming
from unified_io.convert import folders
from unified_io.errors import ConfigError


class UnifiedIO(Asked, Describing, Language, People, Pictures, Sound, Actions, Streaming):
    """A model with its parameters.

        model = from_pretrained("runs/digits")
        model.generate("image", text="draw the digit seven")
        model.vqa("which digit is this?", image="seven.png")
        model.localize(["a.png", "b.png"], "dog")[0].save("dogs.json")

    One method a capability, in the released recipe of each, and under them `generate`, `score` and `encode` for any
    modality. Inputs are files or what is in them: an image is a path, bytes, pixels [h, w, 3] or a Pillow image, a
    sound a path, bytes, a waveform or (waveform, rate), `action` pen points [n, 3], histories lists of the same.

    To capabilities a list of inputs gives a list of results, what is no list is the same for all; `generate` makes one
    output and `generate_batch` one an example.
    """

    @classmethod
    def from_pretrained(cls, path: str | Path, **options: Any) -> "UnifiedIO":
        """Loads a model; see `api.loading.from_pretrained` for the options."""
        from unified_io.api import loading  # it makes models, so it imports this file

        return loading.from_pretrained(path, **options)

    def save_pretrained(self, path: str | Path) -> None:
        """Writes `config.json`, safetensors and the tokenizer; `from_pretrained` reads them.

        Raises:
          ConfigError: The model was loaded in eight bits: what was rounded off is lost.
        """
        if any(leaf.dtype == np.int8 for leaf in jax.tree.leaves(self.params)):
            raise ConfigError("this model is held in int8; load it in float32 and save that")
        folders.save(path, self.config, self.params)
