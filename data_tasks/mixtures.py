"""Mixtures: which tasks a model is trained on, and what part of the examples each gives. Importing registers them."""

import seqio

import data_tasks.digits.pretraining  # registers the tasks that are mixed here, as does the next line
import data_tasks.digits.tasks  # noqa: F401

# Per cent of the examples. Naming and making from text come first: they teach the encoders and the decoders what a
# digit is, in few tokens, and the pairs between two media then need fewer examples of their own.
DIGITS_PAIRS = {
    "digits_image_to_text": 9.0,
    "digits_audio_to_text": 6.0,
    "digits_action_to_text": 12.0,
    "digits_text_to_image": 8.0,
    "digits_text_to_audio": 7.0,
    "digits_text_to_action": 6.0,
    "digits_image_to_audio": 4.5,
    "digits_audio_to_image": 5.5,
    "digits_image_to_action": 4.0,
    "digits_audio_to_action": 4.0,
    "digits_action_to_image": 4.0,
    "digits_action_to_audio": 4.0,
}
DIGITS_DENOISE = {
    "digits_denoise_image": 2.5,
    "digits_denoise_audio": 2.5,
    "digits_denoise_text": 1.5,
    "digits_denoise_action": 2.0,
}
DIGITS_COMPOSITES = {
    "digits_two_boxes": 2.5,
    "digits_sum": 4.0,
    "digits_box_to_label": 3.5,
    "digits_larger": 3.5,
    "digits_segment": 2.0,
    "digits_inpaint": 2.0,
}

# Where every target that is present is asked for equally often, 52 % of these examples ask for text, 27 % for an image
# and 21 % for a sound. The rates of Unified-IO 2 would leave 8 % for sound, too few for a short run to learn from.
DIGITS_PRETRAIN = {
    "digits_pretrain_text": 10.0,
    "digits_pretrain_image": 20.0,
    "digits_pretrain_audio": 30.0,
    "digits_pretrain_video": 24.0,
    "digits_pretrain_document": 6.0,
    "digits_pretrain_captions": 4.0,
    "digits_pretrain_views": 6.0,
}

MIXTURES = {
    "digits_pretrain": DIGITS_PRETRAIN,
    "digits_pairs": DIGITS_PAIRS,
    "digits_any_to_any": DIGITS_PAIRS | DIGITS_DENOISE | DIGITS_COMPOSITES,
}

for name, rates in MIXTURES.items():
    seqio.MixtureRegistry.add(name, [*rates.items()])
