"""Optical flow: how every pixel moves from one picture to the next, of Flying Chairs and MPI Sintel."""

from typing import Any

import numpy as np
from jaxtyping import Float

from data_tasks.formats.dense import DenseMap
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Flow, Picture
from data_tasks.sources.stored import Context, Record


def _pair(record: Record, context: Context) -> list[Float[np.ndarray, "h w 3"]]:
    return [Picture(key)(record, context) for key in ("first", "second")]


def _set(
    name: str,
    dataset: str,
    first: str,
    second: str,
    flow: str,
    pairs: tuple[dict[str, str], ...],
    **about: Any,
) -> None:
    sample = [
        {"first": first.format(**one), "second": second.format(**one), "flow": flow.format(**one)}
        for one in pairs
    ]
    register(
        name,
        group="flow",
        dataset=dataset,
        stored=Lines(name, "{split}.jsonl"),
        fields={"images": _pair, "flow": Flow("flow")},
        form=DenseMap("dense_flow", kind="flow"),
        sample=sample,
        media=[name for line in sample for name in line.values()],
        **about,
    )


_LIST = ', listed as {"first", "second", "flow"}, a pair a line'
_set(
    "flying_chairs",
    "Flying Chairs",
    "data/{number}_img1.ppm",
    "data/{number}_img2.ppm",
    "data/{number}_flow.flo",
    ({"number": "00001"}, {"number": "00002"}),
    obtain=f"lmb.informatik.uni-freiburg.de: FlyingChairs.zip, its files by FlyingChairs_train_val.txt{_LIST}",
    size=22_232,
)
_set(
    "sintel",
    "MPI Sintel",
    "training/final/{scene}/frame_0001.png",
    "training/final/{scene}/frame_0002.png",
    "training/flow/{scene}/frame_0001.flo",
    ({"scene": "alley_1"}, {"scene": "cave_2"}),
    obtain=f"sintel.is.tue.mpg.de: MPI-Sintel-complete.zip; some scenes of training kept for validation{_LIST}",
    size=1_041,
)
