"""What a model may write that means nothing: any text, and location tokens where they do not belong."""

from hypothesis import strategies as st

from unified_io.structures import COCO_PARTS, MISSING
from unified_io.vocab import location_word

_WORDS = [
    *map(location_word, (0, 1, 499, 500, 998, 999)),
    "<extra_id_5>",
    "<extra_id_1200>",
    "<",
    "cat",
    "1",
    "yes",
]

ANSWERS = st.text(max_size=30) | st.lists(
    st.sampled_from([*_WORDS, *_WORDS[:6], *_WORDS[:6], MISSING, *COCO_PARTS[:3]]), max_size=40
).map(" ".join)
