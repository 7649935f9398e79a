"""Format 15: a map of the picture, painted: a mask, depth, surface normals, flow."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from data_tasks.formats.base import Fields, Raw, judged, look, window
from data_tasks.formats.boxes import plain, within
from data_tasks.formats.painted import Painted, check_size
from unified_io.api.dense import THING
from unified_io.errors import ConfigError, DataError, unknown
from unified_io.evaluation.dense import BOUNDARY, EPE, IOU, NORMALS, RMSE
from unified_io.evaluation.metric import Metric
from unified_io.preprocess import maps
from unified_io.preprocess.window import Window
from unified_io.structures import boxes_to_text, points_to_text

_QUERIES = {"class": ("names",), "box": ("boxes",), "phrase": ("phrases",), "point": (), "none": ()}
_POINTS = 3  # at the most, on the thing asked for
_READS = {"mask": ("image", "masks"), "depth": ("image", "depth"), "normal": ("image", "normals")}
_READS["flow"] = ("images", "flow")
_METRICS = {"mask": (IOU, BOUNDARY), "depth": (RMSE,), "normal": (NORMALS,), "flow": (EPE,)}


@dataclasses.dataclass(frozen=True)
class DenseMap(Painted):
    """Paints a map over the picture, in the encoding of `unified_io.preprocess.maps`.

        mask    white is the thing asked for                       bool [h, w]
        depth   white is `most` metres away                        metres [h, w], 0 is unknown
        normal  x, y, z as red, green, blue                        unit vectors [h, w, 3], zeros are unknown
        flow    from the first of two pictures to the second,      pixels of the picture [h, w, 2]
                which is shown as history

    What is unknown is no target. A raw field `valid` narrows what is known, where the source has one.

    Attributes:
      kind: "mask", "depth", "normal" or "flow".
      query: What the prompt asks the mask of: "class" (slot {name}: all there is of it), "box" (slots {box} and
        {name}: the one thing in it, an "object" where no names are mapped), "phrase" (slot {phrase}: the one it
        means), "point" (slot {points}: the one they lie on) or "none" (all masks together).
      most: Metres that white stands for; the greatest depth of the dataset.
      reach: Part of the square's side that is the longest flow.
    """

    kind: str = "mask"
    query: str = "none"
    most: float = maps.INDOORS
    reach: float = maps.REACH

    def __post_init__(self):
        if self.kind not in _READS:
            raise unknown("kind of map", self.kind, _READS)
        if self.query not in _QUERIES:
            raise unknown("query", self.query, _QUERIES)
        if self.kind != "mask" and self.query != "none":
            raise ConfigError(f"a map of {self.kind} with the query {self.query!r}; only masks are queried")

    @property
    def reads(self) -> tuple[str, ...]:
        return _READS[self.kind] + _QUERIES[self.query]

    @property
    def shows(self) -> tuple[str, ...]:
        return super().shows + (("image_history_inputs",) if self.kind == "flow" else ())

    @property
    def metrics(self) -> tuple[Metric, ...]:
        best, *others = _METRICS[self.kind]
        # A mask within a given box is judged by its rim: the box alone overlaps it well.
        return (*others, best) if self.query == "box" else (best, *others)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        picture, *others = self._pictures(raw)
        through = window(raw, rng, picture)
        drawn, known, slots = self._painted(raw, picture.shape, through, rng)
        shown = look(picture, through)
        if others:
            shown["image_history_inputs"] = [through.cut(other) for other in others]
        targets = {"image_targets": drawn, "image_target_masks": through.real & known}
        if not targets["image_target_masks"].any():
            raise DataError(f"the part of the picture that is shown has no {self.kind}")
        return judged(raw, slots) | shown | targets | {"text_inputs": self.ask(raw, rng, **slots)}

    def read(
        self,
        pixels: Float[np.ndarray, "h w 3"],
        counts: Bool[np.ndarray, "h w"],
        example: Mapping[str, Any],
    ) -> Any:
        if self.kind == "mask":
            return maps.pixels_to_mask(pixels) & counts
        if self.kind == "depth":
            return np.where(counts, maps.pixels_to_depth(pixels, self.most), 0.0)
        if self.kind == "normal":
            return np.where(counts[:, :, None], maps.pixels_to_normals(pixels), 0.0)
        flow, _ = maps.pixels_to_flow(pixels, self.reach)
        return np.where(counts[:, :, None], flow * len(example["image_targets"]), np.nan)

    def _pictures(self, raw: Raw) -> list[np.ndarray]:
        if self.kind != "flow":
            return [raw["image"]]
        if len(raw["images"]) != 2:
            raise DataError(f"field images has {len(raw['images'])} pictures, flow is between 2")
        first, second = raw["images"]
        check_size("images[1]", second.shape, first.shape, "images[0]")
        return [first, second]

    def _painted(
        self, raw: Raw, size: tuple[int, ...], through: Window, rng: np.random.Generator
    ) -> tuple[Float[np.ndarray, "s s 3"], Bool[np.ndarray, "s s"], dict[str, str]]:
        """The map in the window, where it is known, and what goes into the prompt."""
        if self.kind == "mask":
            mask, slots = self._asked(raw, cut_masks(raw, through), through, rng)
            return maps.mask_to_pixels(mask), np.ones_like(mask), slots
        field = self.reads[1]
        check_size(field, raw[field].shape, size)
        values = through.cut(raw[field])
        known = through.cut(_known(raw, size))
        if self.kind == "depth":
            return maps.depth_to_pixels(values, self.most), known & (values > 0), {}
        if self.kind == "normal":
            return maps.normals_to_pixels(values), known & values.any(axis=2), {}
        drawn = maps.flow_to_pixels(values / through.side, known, self.reach)
        return drawn, drawn[:, :, 2] > 0, {}

    def _asked(
        self, raw: Raw, masks: Bool[np.ndarray, "n s s"], through: Window, rng: np.random.Generator
    ) -> tuple[Bool[np.ndarray, "s s"], dict[str, str]]:
        """The mask asked for in the window, and what the prompt says of it."""
        if self.query == "box":
            boxes, places = within(raw["boxes"], through, raw.get("crowd"))
            chosen = draw_seen(masks[places], rng)
            name = plain(raw["names"][places[chosen]]) if raw.get("names") else THING
            return masks[places[chosen]], {"name": name, "box": boxes_to_text(boxes[[chosen]])}
        chosen = draw_seen(masks, rng)
        if self.query == "none":
            return masks.any(axis=0), {}
        if self.query == "point":
            pixels = np.argwhere(masks[chosen])
            drawn = pixels[rng.integers(len(pixels), size=rng.integers(1, _POINTS + 1))]
            return masks[chosen], {"points": points_to_text((drawn + 0.5) / through.side)}
        if self.query == "phrase":
            return masks[chosen], {"phrase": plain(raw["phrases"][chosen]).lower()}
        name = raw["names"][chosen]
        return covered(masks, raw["names"], [name]), {"name": plain(name)}


def cut_masks(raw: Raw, through: Window) -> Bool[np.ndarray, "n s s"]:
    """Returns the masks of an example as its window shows them.

    Raises:
      DataError: They are not of the picture's size, or there is none.
    """
    masks = raw["masks"]
    if not len(masks):
        raise DataError("field masks is empty; give at least one mask")
    check_size("masks", masks.shape[1:], raw["image"].shape)
    return np.stack([through.cut(mask) for mask in masks])


def draw_seen(masks: Bool[np.ndarray, "n s s"], rng: np.random.Generator) -> int:
    """Draws one of the masks that have a pixel."""
    seen = np.flatnonzero(masks.any(axis=(1, 2)))
    if not len(seen):
        raise DataError("every mask lies outside of the part of the picture that is shown, or is empty")
    return int(seen[rng.integers(len(seen))])


def covered(
    masks: Bool[np.ndarray, "n s s"], names: Sequence[str], wanted: Sequence[str]
) -> Bool[np.ndarray, "s s"]:
    """Returns the pixels of all masks that have one of the wanted names."""
    return masks[[name in wanted for name in names]].any(axis=0)


def _known(raw: Raw, size: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    valid = raw.get("valid")
    if valid is None:
        return np.ones(size[:2], bool)
    check_size("valid", valid.shape, size)
    return valid
