"""Datasets of pictures annotated in COCO's JSON: one file, or several joined by the picture. Knows no task."""

import collections
import dataclasses
import functools
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data_tasks.sources.shards import Stamp, stamp, written
from data_tasks.sources.stored import Record, Stored
from unified_io.errors import DataError

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class CocoJson(Stored):
    """One record a picture: its entry, and a list of what each file says of it.

        CocoJson("coco", {"objects": "instances_{split}.json", "captions": "captions_{split}.json"},
                 "{split}/{file_name}")
        {"id": 9, "height": 480, "width": 640, "file_name": "9.jpg", "file": "train/9.jpg",
         "objects": [{"bbox": [...], "category_id": 51, "category": "bowl", ...}], "captions": [{"caption": "..."}]}

    Attributes:
      annotations: What to call the list -> file of a split; one file alone is called "annotations". A file has
        "annotations" or "questions" with "image_id", perhaps "images" and "categories".
      images: File of a picture below the dataset's folder; {split} and what its entry holds, such as {file_name} or
        {id:012d}, are filled in. The record has it as "file".
    """

    annotations: str | Mapping[str, str]
    images: str = "{split}/{file_name}"

    def length(self, folder: Path, split: str) -> int:
        return len(self._joined(folder, split))

    def record(self, folder: Path, split: str, index: int) -> Record:
        joined = self._joined(folder, split)
        if not 0 <= index < len(joined):
            raise DataError(f"picture {index} of {len(joined)} in {folder}")
        return joined[index]

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        records = list(records)
        kinds = self._kinds()
        ids = [record.get("id", number) for number, record in enumerate(records)]
        images = [
            {key: value for key, value in record.items() if key not in (*kinds, "file")} | {"id": one}
            for record, one in zip(records, ids, strict=True)
        ]
        for kind, pattern in kinds.items():
            said = [
                {"image_id": one, **item}
                for record, one in zip(records, ids, strict=True)
                for item in record.get(kind, [])
            ]
            names = {item["category"]: item.get("category_id") for item in said if "category" in item}
            numbers = {
                name: number if number is not None else place
                for place, (name, number) in enumerate(names.items(), 1)
            }
            whole = {
                "images": images,
                "annotations": [_linked(item, number, numbers) for number, item in enumerate(said)],
                "categories": [{"id": number, "name": name} for name, number in numbers.items()],
            }
            with written(folder / pattern.format(split=split)) as part:
                part.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")

    def files(self, folder: Path, split: str) -> list[str]:
        return [str(folder / pattern.format(split=split)) for pattern in self._kinds().values()]

    def _kinds(self) -> dict[str, str]:
        one = isinstance(self.annotations, str)
        return {"annotations": self.annotations} if one else dict(self.annotations)

    def _joined(self, folder: Path, split: str) -> list[Record]:
        paths = {kind: folder / pattern.format(split=split) for kind, pattern in self._kinds().items()}
        stamps = tuple(stamp(path) for path in paths.values())
        return _join(tuple(paths.items()), stamps, self.images.replace("{split}", split))


def _linked(item: Mapping[str, Any], number: int, numbers: Mapping[str, int]) -> dict[str, Any]:
    linked = {"id": number, **{key: value for key, value in item.items() if key != "category"}}
    return linked | ({"category_id": numbers[item["category"]]} if "category" in item else {})


@functools.lru_cache(maxsize=4)
def _join(paths: tuple[tuple[str, Path], ...], stamps: tuple[Stamp, ...], images: str) -> list[Record]:
    """The records of a split, in the order of the first file's pictures."""
    records: dict[Any, Record] = {}
    said = {kind: _read(path) for kind, path in paths}
    for (_, path), whole in zip(paths, said.values(), strict=True):
        for entry in _list(whole, "images", path):
            records.setdefault(_key(entry, "id", path), dict(entry))
    listed = bool(records)
    for (kind, path), whole in zip(paths, said.values(), strict=True):
        names = {_key(one, "id", path): one.get("name") for one in _list(whole, "categories", path)}
        found: dict[Any, list[Record]] = collections.defaultdict(list)
        items = _list(whole, "annotations", path) or _list(whole, "questions", path)
        for number, item in enumerate(items):
            found[_key(item, "image_id", path)].append(_named(item, names, number, path))
        if orphans := found.keys() - records.keys() if listed else ():
            log.warning("%s speaks of %d pictures that no file lists", path, len(orphans))
        for key in found if not listed else ():
            records.setdefault(key, {"id": key})
        for key, record in records.items():
            record[kind] = found.get(key, [])
    for record in records.values():
        record["file"] = _file(images, record)
    return list(records.values())


def _read(path: Path) -> dict[str, Any]:
    try:
        whole = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} can not be read as JSON: {error}; get it again") from error
    if not isinstance(whole, dict):
        raise DataError(f"{path} is {type(whole).__name__}, wanted an object with images and annotations")
    return whole


def _list(whole: Mapping[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    items = whole.get(key, [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise DataError(f"{key} of {path} is no list of objects; is the file in COCO's form?")
    return items


def _key(item: Mapping[str, Any], key: str, path: Path) -> Any:
    if not isinstance(item.get(key), int | str):
        raise DataError(
            f"{path} has an entry with {key} {str(item.get(key))[:60]!r}, wanted a number or a text"
        )
    return item[key]


def _named(item: Record, names: Mapping[Any, Any], number: int, path: Path) -> Record:
    if not names or "category_id" not in item:
        return item
    if item["category_id"] not in names:
        raise DataError(
            f"annotation {number} of {path} is of category {item['category_id']!r}, which it does not list"
        )
    return {**item, "category": names[item["category_id"]]}


def _file(images: str, record: Record) -> str | None:
    """Where the picture lies; None where its entry does not say."""
    try:
        return images.format(**record)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError):
        return None
