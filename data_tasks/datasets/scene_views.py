"""Views of rooms and of things, of which pre-training restores one with the help of another."""

from data_tasks.datasets import habitat, objaverse  # noqa: F401  they register what is read
from data_tasks.formats import denoised
from data_tasks.registry import REGISTRY, register
from unified_io.data.denoised import Denoised

_RESTORED = {"pretrain_croco": "habitat_views_easy", "pretrain_objaverse": "objaverse_views"}
"""Name of a task -> the one whose two views it reads."""

for _name, _other in _RESTORED.items():
    _read = REGISTRY[_other]
    register(
        _name,
        group="pretrain_multiview",
        dataset=_read.dataset,
        stored=_read.source.stored,
        fields={"images": _read.source.fields["images"]},
        form=Denoised(denoised.views, _name, targets=("image",), inputs=("text", "image", "image_history")),
        splits=_read.source.own,
        keep=_read.source.keep,
        obtain=_read.obtain,
        size=_read.size,
        weight=0.33,
        sample=_read.sample,
        media=_read.media,
    )
