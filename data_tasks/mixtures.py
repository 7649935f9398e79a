"""Mixtures: which tasks a model is trained on, and what part of the examples each gives. Importing registers them."""

import seqio

import data_tasks.digits.tasks  # noqa: F401  registers the tasks that are mixed here

# Per cent of the examples. Where the output is harder to make a task gets a little more.
DIGITS_PAIRS = {
    "digits_image_to_text": 5.0,
    "digits_audio_to_text": 5.5,
    "digits_action_to_text": 4.0,
    "digits_text_to_image": 6.0,
    "digits_audio_to_image": 6.5,
    "digits_action_to_image": 4.5,
    "digits_text_to_audio": 5.5,
    "digits_image_to_audio": 6.0,
    "digits_action_to_audio": 4.5,
    "digits_text_to_action": 5.0,
    "digits_image_to_action": 5.0,
    "digits_audio_to_action": 4.5,
}
DIGITS_DENOISE = {
    "digits_denoise_image": 4.0,
    "digits_denoise_audio": 4.0,
    "digits_denoise_text": 2.0,
    "digits_denoise_action": 3.0,
}
DIGITS_COMPOSITES = {
    "digits_two_boxes": 5.0,
    "digits_sum": 5.0,
    "digits_box_to_label": 4.0,
    "digits_larger": 4.0,
    "digits_segment": 4.0,
    "digits_inpaint": 3.0,
}

MIXTURES = {
    "digits_pairs": DIGITS_PAIRS,
    "digits_any_to_any": DIGITS_PAIRS | DIGITS_DENOISE | DIGITS_COMPOSITES,
}

for name, rates in MIXTURES.items():
    seqio.MixtureRegistry.add(name, [*rates.items()])
