"""Visual Genome: what is asked of its things, regions and relations in words."""

from data_tasks.datasets import visual_genome as vg
from data_tasks.formats.qa import Question
from data_tasks.formats.region import RegionText
from data_tasks.formats.relation import Relate
from data_tasks.registry import register

register(
    "vg_region_class",
    group="region_classification",
    stored=vg.OBJECTS,
    fields=vg.OBJECT_FIELDS,
    form=RegionText("region_class"),
    each=vg.named,
    size=vg.IMAGES,
    sample=vg.OBJECT_SAMPLE,
    **vg.ABOUT,
)
register(
    "vg_region_caption",
    group="region_captioning",
    stored=vg.REGIONS,
    fields=vg.REGION_FIELDS,
    form=RegionText("region_phrase", of="phrase"),
    each=vg.told,
    size=vg.IMAGES,
    sample=vg.REGION_SAMPLE,
    **vg.ABOUT,
)
register(
    "vg_qa",
    group="vqa",
    stored=vg.QUESTIONS,
    fields=vg.QUESTION_FIELDS,
    form=Question("qa"),
    each=vg.asked,
    size=1_445_322,
    sample=vg.QUESTION_SAMPLE,
    **vg.ABOUT,
)

for _name, _ask in (
    ("vg_relation", "object"),
    ("vg_relation_boxes", "pair"),
    ("vg_relation_phrases", "phrases"),
):
    register(
        _name,
        group="relationship",
        stored=vg.RELATIONS,
        fields=vg.RELATION_FIELDS,
        form=Relate(f"relation_{_ask}", ask=_ask),
        each=vg.joined,
        size=vg.IMAGES,
        sample=vg.RELATION_SAMPLE,
        **vg.ABOUT,
    )
