"""Writes a contact sheet of the toy world: pictures with what is true of them drawn over.

python tools/show_toy.py --view scene --split train --count 6 --out toy.png
"""

import argparse
import textwrap
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from data_tasks.toy import splits
from data_tasks.toy.views import VIEWS
from unified_io.evaluation.cuboids import corners
from unified_io.preprocess import maps

_SIDE, _GAP = 224, 6
_COLOURS = ((255, 60, 60), (60, 220, 60), (80, 120, 255), (240, 220, 40), (240, 80, 240), (60, 230, 230))
_TOLD = (
    "captions",
    "phrases",
    "relations",
    "question",
    "options",
    "answers",
    "instruction",
    "response",
    "text",
    "name",
)


def main() -> None:
    """Draws one row a record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--view", default="scene", choices=sorted(VIEWS))
    parser.add_argument("--split", default="train", choices=sorted(splits.SPLITS))
    parser.add_argument("--first", type=int, default=0, help="number of the first record")
    parser.add_argument("--count", type=int, default=6, help="records")
    parser.add_argument("--size", type=int, default=64, help="side of a picture, pixels")
    parser.add_argument("--out", required=True, help="PNG to write")
    args = parser.parse_args()
    rows = []
    for index in range(args.first, args.first + args.count):
        rng = splits.generator(args.split, index, args.view)
        rows.append(row(VIEWS[args.view](splits.split(args.split), rng, args.size)))
    width = max(line.shape[1] for line in rows)
    sheet = [np.pad(line, ((0, _GAP), (0, width - line.shape[1]), (0, 0))) for line in rows]
    Image.fromarray(np.concatenate(sheet)).save(args.out)


def row(record: dict[str, Any]) -> np.ndarray:
    """Returns the pictures of a record beside each other, and its words."""
    panels = [np.asarray(panel) for panel in (*_pictures(record), _words(record))]
    return np.concatenate([np.pad(panel, ((0, 0), (0, _GAP), (0, 0))) for panel in panels], axis=1)


def _pictures(record: dict[str, Any]) -> list[Image.Image]:
    found = []
    if "image" in record:
        found.append(_marked(record["image"], record))
        if "masks" in record and len(record["masks"]):
            tints = np.array([_COLOURS[i % len(_COLOURS)] for i in range(len(record["masks"]))]) / 255
            tint = np.einsum("nhw,nc->hwc", record["masks"], tints)
            found.append(_large(0.4 * record["image"] + 0.6 * tint))
    for frame, image in enumerate(record.get("images", ())):
        tracks = record.get("tracks")
        found.append(_marked(image, {} if tracks is None else {"boxes": tracks[[frame]]}))
    if "image_target" in record and record["image_target"] is not record.get("image"):
        found.append(_large(record["image_target"]))
    if "depth" in record:
        found.append(_large(maps.depth_to_pixels(record["depth"], 5.0)))
    if "normals" in record:
        found.append(_large(maps.normals_to_pixels(record["normals"])))
    if "flow" in record:
        found.append(_arrows(record["images"][0], record["flow"]))
    return found


def _marked(image: np.ndarray, record: dict[str, Any]) -> Image.Image:
    """A picture with boxes, cuboids and joints."""
    picture = _large(image)
    draw = ImageDraw.Draw(picture)
    for number, box in enumerate(record.get("boxes", ())):
        y1, x1, y2, x2 = np.asarray(box) * _SIDE
        if y2 > y1:
            draw.rectangle((x1, y1, x2 - 1, y2 - 1), outline=_COLOURS[number % len(_COLOURS)])
    for number, cuboid in enumerate(record.get("cuboids", ())):
        placed = corners(cuboid) @ record["intrinsics"].T
        points = placed[:, :2] / placed[:, 2:] / record["image"].shape[0] * _SIDE
        for a in range(8):
            for b in (a ^ 1, a ^ 2, a ^ 4):  # corners that differ in one sign are joined
                if a < b:
                    draw.line((*points[a], *points[b]), fill=_COLOURS[number % len(_COLOURS)])
    for person in record.get("keypoints", ()):
        for number, (y, x, seen) in enumerate(person):
            if seen:
                spot = (x * _SIDE - 3, y * _SIDE - 3, x * _SIDE + 3, y * _SIDE + 3)
                draw.ellipse(spot, outline=(0, 0, 0), fill=(255, 255, 0) if number % 2 else (255, 0, 255))
    return picture


def _arrows(image: np.ndarray, flow: np.ndarray) -> Image.Image:
    picture = _large(image)
    draw, scale = ImageDraw.Draw(picture), _SIDE / len(image)
    for y in range(2, len(image), 4):
        for x in range(2, len(image), 4):
            u, v = flow[y, x]
            start = ((x + 0.5) * scale, (y + 0.5) * scale)
            draw.line((*start, start[0] + u * scale, start[1] + v * scale), fill=(255, 255, 0))
    return picture


def _words(record: dict[str, Any]) -> Image.Image:
    picture = Image.new("RGB", (2 * _SIDE, _SIDE), (250, 250, 250))
    lines = []
    for key in _TOLD:
        if key in record:
            lines += textwrap.wrap(f"{key}: {record[key]}", 74)
    ImageDraw.Draw(picture).text((4, 2), "\n".join(lines[:18]), fill=(0, 0, 0), font_size=11)
    return picture


def _large(image: np.ndarray) -> Image.Image:
    pixels = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)


if __name__ == "__main__":
    main()
