"""Objaverse as Zero-1-to-3 rendered it: an object from another camera, and how the camera moved."""

import numpy as np
from jaxtyping import Float

from data_tasks.formats.camera import CameraPose
from data_tasks.formats.views import NovelView
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.media import inside
from data_tasks.sources.stored import Context, Make, Record
from unified_io.errors import DataError

_RENDERED = 12  # views of an object


def _chosen(count: int, context: Context) -> list[int]:
    """Draws which views to show; in evaluation the first ones."""
    if not context.training:
        return list(range(count))
    return context.draw("views").permutation(_RENDERED)[:count].tolist()


def _cameras(count: int) -> Make:
    def read(record: Record, context: Context) -> Float[np.ndarray, "n 3"]:
        return np.stack([_camera(record, place, context) for place in _chosen(count, context)])

    return read


def _camera(record: Record, place: int, context: Context) -> Float[np.ndarray, "3"]:
    """Reads where a camera stands: polar angle from the z axis, azimuth, distance."""
    path = inside(context.folder, f"views/{record['object']}", f"{place:03d}.npy")
    try:
        matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"the camera {path} can not be read: {error}; get it again") from error
    if matrix.shape != (3, 4):
        raise DataError(f"the camera {path} has shape {list(matrix.shape)}, wanted [3, 4], world to camera")
    x, y, z = -matrix[:, :3].T @ matrix[:, 3]
    return np.array([np.arctan2(np.hypot(x, y), z), np.arctan2(y, x), np.linalg.norm([x, y, z])])


def _views(count: int) -> Make:
    def read(record: Record, context: Context) -> list[Float[np.ndarray, "h w 3"]]:
        names = [f"{record['object']}/{place:03d}.png" for place in _chosen(count, context)]
        return [Picture("name", "views")({"name": name}, context) for name in names]

    return read


_TRAINING = 790_771
_OBJECTS = ("0a1", "0a2")
for _name, _group, _count, _form in (
    ("objaverse_views", "view_synthesis", 2, NovelView("novel_view")),
    ("objaverse_views_several", "view_synthesis", 4, NovelView("novel_view")),
    ("objaverse_camera", "cuboids", 2, CameraPose("camera")),
):
    register(
        _name,
        group=_group,
        dataset="Objaverse, rendered",
        stored=Lines("objaverse", "{split}.jsonl"),
        fields={"images": _views(_count), "cameras": _cameras(_count)},
        form=_form,
        # Of Zero-1-to-3's list the last hundredth is for validation; here it is the first.
        splits={"train": "objects:7988-", "validation": "objects:-7988"},
        obtain="github.com/cvlab-columbia/zero123: views_release, in views; its valid_paths.json as objects.jsonl, "
        '{"object": name} a line',
        size=_TRAINING,
        sample=[{"object": name} for name in _OBJECTS],
        media=[
            f"views/{name}/{place:03d}.{ending}"
            for name in _OBJECTS
            for place in range(_RENDERED)
            for ending in ("png", "npy")
        ],
    )
