"""The digits tasks: every directed pair of image, sound, text and action, denoising of each, and composites."""

import itertools

import seqio

from data_tasks.digits.source import DigitsReader, DigitsSource
from data_tasks.formats.answer import Answer, Detect, NameRegion
from data_tasks.formats.base import ABOUT, Format, Raw
from data_tasks.formats.convert import Convert
from data_tasks.formats.picture import Inpaint, Segment
from data_tasks.formats.restore import RestorePatches, RestoreSteps, RestoreText
from unified_io.data.pipeline import numpy_map, output_features

MODALITIES = ("image", "audio", "text", "action")
# seqio wants the tasks of a mixture to declare the same; they get all fields of a configuration when they are bound.
GIVEN_BY_ALL = ("text_inputs", *ABOUT)


def larger(raw: Raw) -> str:
    """Names the larger of the two digits."""
    return raw["names"][int(raw["label"].argmax())]


def total(raw: Raw) -> str:
    """Writes the sum of the two digits as a number."""
    return str(int(raw["label"].sum()))


def register(name: str, view: str, form: Format) -> None:
    """Registers one task: a view of the digits and a format."""
    seqio.TaskRegistry.add(
        name,
        source=DigitsReader(DigitsSource(), view, form.reads, stream=name),
        preprocessors=[numpy_map(form, form.writes, name)],
        output_features=output_features(GIVEN_BY_ALL),
        metric_fns=[],
        shuffle_buffer_size=None,  # the source draws at random
    )


for given, wanted in itertools.permutations(MODALITIES, 2):
    pair = f"digits_{given}_to_{wanted}"
    register(pair, "singles", Convert(pair, given, wanted))

register("digits_denoise_text", "singles", RestoreText("denoise_text"))
register("digits_denoise_image", "singles", RestorePatches("denoise_image", "image", cells=(4, 4)))
register(
    "digits_denoise_audio", "singles", RestorePatches("denoise_audio", "audio", cells=(8, 4), stretches=0.5)
)
register("digits_denoise_action", "singles", RestoreSteps("denoise_action"))

register("digits_two_boxes", "scenes", Detect("digits_two_boxes"))
register("digits_box_to_label", "scenes", NameRegion("digits_box_to_label"))
register("digits_larger", "contrasts", Answer("digits_larger", ("image", "audio"), larger))
register("digits_sum", "scenes", Answer("digits_sum", ("image",), total))
register("digits_segment", "scenes", Segment("digits_segment"))
register("digits_inpaint", "singles", Inpaint("digits_inpaint"))
