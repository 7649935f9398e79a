"""Pictures drawn from their captions, of the sets that are captioned or pre-trained on elsewhere."""

from data_tasks.datasets import (  # noqa: F401  they register what is drawn
    captions,
    coco,
    open_images_words,
    web_images,
)
from data_tasks.formats.draw import Draw
from data_tasks.registry import REGISTRY, register

_DRAWN = {
    "coco_draw": "coco_caption",
    "open_images_draw": "open_images_narrative",
    "cc3m_draw": "cc3m_caption",
    "redcaps_draw": "redcaps_caption",
    "laion_aesthetics_draw": "pretrain_laion_aesthetics",
}
"""Name of a task -> the one whose pictures and captions it reads."""

for _name, _other in _DRAWN.items():
    _read = REGISTRY[_other]
    register(
        _name,
        group="image_from_text",
        dataset=_read.dataset,
        stored=_read.source.stored,
        fields={"image_target": _read.source.fields["image"], "captions": _read.source.fields["captions"]},
        form=Draw("draw"),
        splits=_read.source.own,
        keep=_read.source.keep,
        each=_read.source.each,
        obtain=_read.obtain,
        available=_read.available,
        size=_read.size,
        sample=_read.sample,
        media=_read.media,
    )
