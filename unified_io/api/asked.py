"""Outputs that are no modality of their own but a capability: boxes, depth and the like, from the same `generate`."""

from collections.abc import Callable, Mapping
from typing import Any

from unified_io.api.generating import Generating
from unified_io.errors import ConfigError

_ASKS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "boxes": ("localize", ("image", "text")),
    "box": ("refer", ("image", "text")),
    "objects": ("detect", ("image",)),
    "keypoints": ("keypoints", ("image",)),
    "depth": ("depth", ("image",)),
    "normals": ("surface_normals", ("image",)),
}
"""Output -> the method that makes it, and the inputs it takes, in order."""


class Asked(Generating):
    """Lets `generate` make what a capability makes."""

    def generate(self, output: str = "text", **inputs_and_options: Any) -> Any:
        """As `Generating.generate`; an output may also be one of a capability.

        "boxes"      everything that `text` names in `image`      `localize`
        "box"        the one thing that `text` describes          `refer`
        "objects"    everything in `image`, named                 `detect`
        "keypoints"  body parts of the people in `image`          `keypoints`
        "depth"      of every pixel of `image`                    `depth`
        "normals"    of every pixel of `image`                    `surface_normals`
        """
        if output not in _ASKS or any(target.name == output for target in self.config.targets):
            return super().generate(output, **inputs_and_options)
        name, inputs = _ASKS[output]
        lacking = [one for one in inputs if inputs_and_options.get(one) is None]
        if lacking:
            raise ConfigError(f"{output!r} is made of {' and '.join(inputs)}; give {' and '.join(lacking)}")
        make: Callable[..., Any] = getattr(self, name)
        options = {key: value for key, value in inputs_and_options.items() if key not in inputs}
        return make(*(inputs_and_options[one] for one in inputs), **options)
