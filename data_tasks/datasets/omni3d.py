"""Omni3D: things in space, of six sets of pictures with known cameras."""

from typing import Any

from data_tasks.formats.cuboids import FindCuboids
from data_tasks.registry import register
from data_tasks.sources.coco import CocoJson
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Context, Record

SETS = ("KITTI", "nuScenes", "SUNRGBD", "Objectron", "ARKitScenes", "Hypersim")


def _seen(thing: Record) -> bool:
    return thing["valid3D"] and not thing["behind_camera"] and thing["category"] != "dontcare"


def placed(record: Record) -> list[Record]:
    """Returns the record with the things of whichever set it is of, where they are known; none if there is none."""
    things = [thing for name in SETS for thing in record[name] if _seen(thing)]
    return [record | {"things": things}] if things else []


def _cuboids(record: Record, context: Context) -> list[dict[str, Any]]:
    return [
        {
            "center": thing["center_cam"],
            "dims": thing["dimensions"],
            "rotation": thing["R_cam"],
            "name": thing["category"],
        }
        for thing in record["things"]
    ]


def _thing(name: str, center: list[float], dims: list[float]) -> Record:
    turned = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]
    known = {"valid3D": True, "behind_camera": False}
    return {"category": name, "center_cam": center, "dimensions": dims, "R_cam": turned, **known}


def _picture(number: int, kind: str, *things: Record) -> Record:
    camera = [[30.0, 0.0, 16.0], [0.0, 30.0, 12.0], [0.0, 0.0, 1.0]]
    about = {"id": number, "file_path": f"{kind}/{number}.jpg", "height": 24, "width": 32, "K": camera}
    return about | {name: list(things) if name == kind else [] for name in SETS}


register(
    "omni3d",
    group="cuboids",
    dataset="Omni3D",
    stored=CocoJson("omni3d", {name: f"Omni3D/{name}_{{split}}.json" for name in SETS}, "{file_path}"),
    fields={"image": Picture("file"), "cuboids": _cuboids, "intrinsics": "K"},
    form=FindCuboids("cuboids"),
    splits={"train": "train", "validation": "val"},
    each=placed,
    obtain="github.com/facebookresearch/omni3d: its json files; pictures of the six sets as it says",
    size=175_000,
    sample=[
        _picture(
            1,
            "SUNRGBD",
            _thing("chair", [0.1, 0.0, 2.0], [0.5, 0.9, 0.5]),
            _thing("table", [-0.3, 0.1, 3.0], [1.2, 0.7, 0.8]),
        ),
        _picture(2, "KITTI", _thing("car", [0.0, 0.5, 9.0], [1.7, 1.5, 4.2])),
    ],
    media=["SUNRGBD/1.jpg", "KITTI/2.jpg"],
)
