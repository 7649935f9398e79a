"""Views of rooms and of things: cross-view completion on pairs of Habitat, and on pictures of Objaverse."""

from data_tasks.formats import denoised
from data_tasks.registry import register
from data_tasks.sources.episodes import Pictures
from data_tasks.sources.lines import Lines
from data_tasks.sources.stored import Record
from unified_io.data.denoised import Denoised

_TAKEN = ((0, 1), (4, 5), (8, 11))  # of twelve views of a thing, those that make an example


def _pairs(record: Record) -> list[Record]:
    """Returns pairs of the twelve pictures that are drawn of a thing."""
    files = [[f"views/{record['object']}/{place:03d}.png" for place in pair] for pair in _TAKEN]
    return [record | {"files": pair} for pair in files]


for _name, _dataset, _stored, _each, _size, _obtain, _sample, _media in (
    (
        "pretrain_croco",
        "CroCo, Habitat",
        Lines("croco", "{split}.jsonl"),
        None,
        2_600_000,
        "made with Habitat-sim from the metadata of github.com/naver/croco; a list with two files a pair",
        [{"files": [f"scene/{n}_1.jpg", f"scene/{n}_2.jpg"]} for n in (1, 2)],
        [f"scene/{n}_{side}.jpg" for n in (1, 2) for side in (1, 2)],
    ),
    (
        "pretrain_objaverse",
        "Objaverse, as Zero-1-to-3 drew it",
        Lines("objaverse_views", "{split}.jsonl"),
        _pairs,
        800_000,
        "github.com/cvlab-columbia/zero123: its pictures in views; valid_paths.json one object a line, the last 1 % for "
        "validation",
        [{"object": f"thing{n}"} for n in (1, 2)],
        [f"views/thing{n}/{place:03d}.png" for n in (1, 2) for pair in _TAKEN for place in pair],
    ),
):
    register(
        _name,
        group="pretrain_multiview",
        dataset=_dataset,
        stored=_stored,
        fields={"images": Pictures("files")},
        form=Denoised(denoised.views, _name, targets=("image",), inputs=("text", "image", "image_history")),
        each=_each,
        obtain=_obtain,
        size=_size,
        weight=0.33,
        sample=_sample,
        media=_media,
    )
