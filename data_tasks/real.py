"""Tasks over real data that need no download: digits, voices, photographs, text. Importing registers them.

What they prove is said in each file of records: real pixels, sounds and letters pass through. They are no benchmark of
natural pictures, and the voices are synthetic.
"""

from data_tasks.digits.words import WORDS
from data_tasks.formats import denoised
from data_tasks.formats.base import Format
from data_tasks.formats.boxes import FindBoxes
from data_tasks.formats.caption import Caption
from data_tasks.formats.dense import DenseMap
from data_tasks.formats.draw import Draw
from data_tasks.formats.patches import PastedPatches
from data_tasks.formats.qa import Question
from data_tasks.formats.tag import Tag
from data_tasks.formats.transcribe import Transcribe
from data_tasks.registry import register
from data_tasks.sources.made import Made
from data_tasks.sources.mapping import Constant
from data_tasks.sources.stored import Make
from data_tasks.toy import docstrings, handwriting, photos, spoken_digits
from unified_io.data.denoised import Denoised

HANDS = "UCI handwritten digits in scikit-learn: `pip install scikit-learn`"
VOICES = "made here by espeak-ng: `pip install espeakng-loader`"
PHOTOS = "photographs in scikit-image and scikit-learn: `pip install scikit-image scikit-learn`"
STEREO = "one stereo pair in scikit-image: `pip install scikit-image`"
TEXTS = "doc-strings of installed packages: `pip install scipy scikit-learn librosa`"


def add(
    name: str,
    function: object,
    lengths: dict[str, int],
    fields: dict[str, str | Make],
    form: Format | Denoised,
    obtain: str,
) -> None:
    """Registers one task over records that a function makes of what packages bring."""
    register(
        name,
        group="real",
        dataset=obtain.partition(":")[0],
        stored=Made(name, function, lengths),
        fields=fields,
        form=form,
        splits={split: split for split in lengths},
        obtain=obtain,
        size=lengths["train"],
    )


_CLASSES = {"name": "name", "classes": Constant(WORDS)}

add(
    "real_digit_tag",
    handwriting.digit,
    handwriting.LENGTHS,
    {"image": "image", **_CLASSES},
    Tag("tag", ("image",)),
    HANDS,
)
add(
    "real_digit_caption",
    handwriting.digit,
    handwriting.LENGTHS,
    {"image": "image", "captions": "captions"},
    Caption("caption_image", ("image",)),
    HANDS,
)
add(
    "real_digit_draw",
    handwriting.digit,
    handwriting.LENGTHS,
    {"captions": "captions", "image_target": "image"},
    Draw("draw"),
    HANDS,
)
add(
    "real_digits_find",
    handwriting.sheet,
    handwriting.SHEETS,
    {"image": "image", "boxes": "boxes", "names": "names"},
    FindBoxes("boxes_none", "none"),
    HANDS,
)
add(
    "real_digits_count",
    handwriting.sheet,
    handwriting.SHEETS,
    {"image": "image", "question": "question", "answers": "answers"},
    Question("qa_number", ("image",), "number", whole=True),
    HANDS,
)

add(
    "real_spoken_tag",
    spoken_digits.word,
    spoken_digits.LENGTHS,
    {"audio": spoken_digits.SPOKEN, **_CLASSES},
    Tag("tag_sound", ("audio",)),
    VOICES,
)
add(
    "real_spoken_transcribe",
    spoken_digits.word,
    spoken_digits.LENGTHS,
    {"audio": spoken_digits.SPOKEN, "text": "name"},
    Transcribe("transcribe"),
    VOICES,
)

for _ask in ("list", "count"):
    add(
        f"real_photo_{_ask}",
        photos.piece,
        photos.LENGTHS,
        {"image": "image"},
        PastedPatches(f"patches_{_ask}", _ask),
        PHOTOS,
    )
add(
    "real_photo_denoise",
    photos.piece,
    photos.LENGTHS,
    {"image": "image", "captions": "captions"},
    Denoised(denoised.captioned_image, "real_photo_denoise", targets=("image", "text")),
    PHOTOS,
)
add(
    "real_face_tag",
    photos.face,
    photos.FACE_LENGTHS,
    {"image": "image", "name": "name", "classes": Constant(photos.FACE_CLASSES)},
    Tag("tag", ("image",)),
    PHOTOS,
)
add(
    "real_depth",
    photos.stereo,
    photos.STEREO_LENGTHS,
    {"image": "image", "depth": "depth"},
    DenseMap("dense_depth", "depth"),
    STEREO,
)
add(
    "real_flow",
    photos.stereo,
    photos.STEREO_LENGTHS,
    {"images": "images", "flow": "flow", "valid": "valid"},
    DenseMap("dense_flow", "flow"),
    STEREO,
)

add(
    "real_docstrings_denoise",
    docstrings.docstring,
    docstrings.LENGTHS,
    {"text": "text"},
    Denoised(denoised.text, "real_docstrings_denoise", targets=("text",)),
    TEXTS,
)
