"""The twelve numbers of the COCO evaluation, by its own code (extra `metrics`), to quote beside published ones.

`boxes.AP` is the first of them, without the library and with an interval.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

from unified_io.errors import DataError
from unified_io.evaluation.boxes import Described, proper, read
from unified_io.evaluation.library import library

NAMES = ("AP", "AP50", "AP75", "AP small", "AP medium", "AP large",
         "AR 1", "AR 10", "AR 100", "AR small", "AR medium", "AR large")  # fmt: skip


def summary(predictions: Sequence[Described | None], truths: Sequence[Described]) -> dict[str, float]:
    """Returns the numbers under their usual names; -1 where there is nothing to judge.

    Boxes are in pixels of the source, else small (under 32²), medium and large (over 96²) mean nothing.

    Raises:
      ConfigError: pycocotools is not installed.
      DataError: There is no example, not one prediction each, or no box at all among the truths.
    """
    evaluation = library("pycocotools.cocoeval", "COCO's own numbers")
    dataset = library("pycocotools.coco", "COCO's own numbers").COCO
    if not len(truths) or len(predictions) != len(truths):
        raise DataError(
            f"{len(predictions)} predictions for {len(truths)} truths; want one each, and at least one"
        )
    true, made = [read(t) for t in truths], [read(p) for p in predictions]
    names = sorted({name for found in true for name in found.labels})
    if not names:
        raise DataError("no example has a true box; nothing can be ranked")
    number = {name: index for index, name in enumerate(names, 1)}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        known = dataset()
        known.dataset = {
            "images": [{"id": i} for i in range(1, len(true) + 1)],
            "categories": [{"id": id} for id in number.values()],
            "annotations": _records(true, number),
        }
        known.createIndex()
        found = dataset()
        found.dataset = known.dataset | {"annotations": _records(made, number)}
        found.createIndex()
        judge = evaluation.COCOeval(known, found, "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return dict(zip(NAMES, map(float, judge.stats), strict=True))


def _records(examples: Sequence[Any], number: dict[str, int]) -> list[dict[str, Any]]:
    records = []
    for image, found in enumerate(examples, 1):
        for box, name, score, crowd in zip(
            proper(found.boxes), found.labels, found.scores, found.crowd, strict=True
        ):
            if name not in number:  # a class that is nowhere counts nowhere
                continue
            y1, x1, y2, x2 = map(float, box)
            records.append(
                {
                    "id": len(records) + 1,
                    "image_id": image,
                    "category_id": number[name],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": int(crowd),
                    "score": float(score),
                }
            )
    return records
