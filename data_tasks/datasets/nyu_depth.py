"""NYU Depth V2: how far away everything in a room is."""

from data_tasks.formats.dense import DenseMap
from data_tasks.registry import register
from data_tasks.sources.mapping import DepthMap, Picture
from data_tasks.sources.tfds import Tfds

register(
    "nyu_depth",
    group="depth",
    dataset="NYU Depth V2",
    stored=Tfds("nyu_depth_v2", "nyu_depth_v2"),
    fields={"image": Picture("image"), "depth": DepthMap("depth", unit=1.0)},
    form=DenseMap("dense_depth", kind="depth"),
    obtain="tfds nyu_depth_v2",
    size=47_584,
)
