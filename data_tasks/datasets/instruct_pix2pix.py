"""InstructPix2Pix: pairs of pictures that a diffusion model made, and what leads from one to the other."""

from data_tasks.formats.edit import Edit
from data_tasks.registry import register
from data_tasks.sources.mapping import Picture
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.stored import Record


def _row(number: int, said: str) -> Record:
    return {
        "original_prompt": "a quiet lake",
        "original_image": {"bytes": None, "path": f"{number}_0.jpg"},
        "edit_prompt": said,
        "edited_prompt": "another lake",
        "edited_image": {"bytes": None, "path": f"{number}_1.jpg"},
    }


register(
    "instruct_pix2pix",
    group="image_editing",
    dataset="InstructPix2Pix",
    stored=Parquet("instruct_pix2pix", "data/{split}-*.parquet"),
    fields={
        "image": Picture("original_image"),
        "image_target": Picture("edited_image"),
        "instruction": "edit_prompt",
    },
    form=Edit("edit"),
    splits={"train": "train:2000-", "validation": "train:-2000"},
    obtain="Hugging Face timbrooks/instructpix2pix-clip-filtered",
    size=313_010,
    sample=[_row(1, "make it winter"), _row(2, "let the sun set")],
    media=[f"{number}_{side}.jpg" for number in (1, 2) for side in (0, 1)],
)
