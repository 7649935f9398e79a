"""M3IT, one set of instructions from forty datasets: how any of them is read.

Its loading script no longer runs, so its JSON lines are read as they are: an instruction, what it is applied to, the
answer, and pictures or frames in base64.
"""

import base64
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from data_tasks import made_up
from data_tasks.formats.base import Format
from data_tasks.registry import Registration, register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Frames, Joined
from data_tasks.sources.media import decoded
from data_tasks.sources.stored import Context, Make, Record
from unified_io.errors import DataError
from unified_io.preprocess import image_ops

SPLITS = {"train": "train", "validation": "val"}
TO_TEST = {"train": "train", "validation": "test"}
"""Splits of the sets of which no validation split was kept."""


def pictures(record: Record) -> list[Record]:
    """Returns the record with its "pictures" as bytes; frames of a video are pictures too."""
    given = record["image_base64_str"]
    return [record | {"pictures": [decoded(one) for one in ([given] if isinstance(given, str) else given)]}]


def each_picture(record: Record, context: Context) -> list[Float[np.ndarray, "h w 3"]]:
    """Returns all pictures of a record that `pictures` made, in their own sizes."""
    return [image_ops.read(one) for one in record["pictures"]]


def one_picture(record: Record, context: Context) -> Float[np.ndarray, "h w 3"]:
    """Returns the picture of a record that `pictures` made.

    Raises:
      DataError: There is not one, or there are several.
    """
    if len(record["pictures"]) != 1:
        raise DataError(f"{len(record['pictures'])} pictures; want one")
    return image_ops.read(record["pictures"][0])


MEDIA: dict[str, dict[str, str | Make]] = {
    "image": {"image": one_picture},
    "images": {"images": each_picture},
    "video": {"images": Frames("pictures")},
}
"""What the pictures of a set are -> raw fields of them."""
ASKED: dict[str, str | Make] = {"question": "inputs", "answers": "outputs"}
ASKED_WHOLE = ASKED | {"question": Joined(("instruction", "inputs"))}
"""Fields of a question whose instruction says what the answer may be."""
TOLD: dict[str, str | Make] = {"captions": "outputs"}
DONE: dict[str, str | Make] = {"instruction": Joined(("instruction", "inputs")), "response": "outputs"}

_FRAMES = [base64.b64encode(made_up.picture(f"m3it {number}")).decode() for number in range(2)]


def m3it(
    name: str,
    own: str,
    *,
    group: str,
    form: Format,
    fields: Mapping[str, str | Make],
    size: int,
    says: Sequence[tuple[str, str]],
    media: str = "image",
    splits: Mapping[str, str] = SPLITS,
) -> Registration:
    """Registers a task over one set of M3IT.

    Args:
      name: The task.
      own: Folder of the set in the repository, such as "vqa/viquae".
      group: Row of Table 11.
      form: A format.
      fields: Raw fields besides those of `media`: ASKED, TOLD, DONE or others, of records that `pictures` made.
      size: Examples for training.
      says: What made-up records say: inputs and outputs.
      media: What its pictures are, a name of MEDIA.
      splits: Ours -> how the names of its files begin.
    """
    frames = {"image": _FRAMES[:1], "images": _FRAMES, "video": _FRAMES * 4}[media]
    return register(
        name,
        group=group,
        dataset=f"M3IT, {own.rpartition('/')[2]}",
        stored=Lines("m3it", f"data/{own}/{{split}}*.jsonl"),
        fields={**MEDIA[media], **fields},
        form=form,
        splits=splits,
        each=pictures,
        obtain=f"Hugging Face MMInstruction/M3IT, its folder data/{own} as it is",
        size=size,
        sample=[
            {
                "instruction": "Look and reply.",
                "inputs": given,
                "image_base64_str": list(frames),
                "outputs": answer,
            }
            for given, answer in says
        ],
    )
