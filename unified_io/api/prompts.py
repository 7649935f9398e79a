"""Our wordings of what a model is asked, one a capability. The target modality puts its paradigm token in front.

Released models were tuned on hundreds of paraphrases; any other wording is given as `prompt=`, with the same slots.
"""

from unified_io.errors import unknown
from unified_io.preprocess.prompts import fill

PROMPTS = {
    "generate_text": "{text}",
    "vqa": "{question}",
    "caption_image": "Describe this image in one sentence.",
    "caption_video": "Describe in one sentence what happens in this video.",
    "caption_audio": "Describe in one sentence what can be heard.",
    "tag_video": "Name the action that this video shows.",
    "categorize": "Which category fits best?",
    "classify_region": "What is the object in the region {box}?",
    "localize": "Mark every {category} in this image with a box.",
    "detect": "Mark every object in this image with a box and its name.",
    "refer": "Mark with one box what these words mean: {expression}",
    "keypoints": "Find the body parts of the person in the region {box}.",
    "segment": "Paint a mask of the {category} in the region {box}: white where it is, black elsewhere.",
    "depth": "Paint how far away everything in this image is: black is near, white is far.",
    "surface_normals": "Paint the surface normals of this image: x as red, y as green and z as blue.",
    "generate_image": "An image of {caption}",
    "inpaint": "Fill in the hidden region {box} of this image: {content}",
    "edit": "{instruction}",
    "generate_audio": "The sound of {caption}",
    "act": "{instruction}",
    "navigate": "You stand at {position} and want to get to {goal}. What is the next action?",
}

# Guidance leads away from it; the wording that the released samplers use.
UNINFORMATIVE = "An image of a random picture."


def wording(capability: str, prompt: str | None = None, **content: object) -> str:
    """Returns the prompt of a capability with its slots filled.

    Args:
      capability: A key of PROMPTS.
      prompt: Another template with the same slots.
      content: What goes into the slots.

    Raises:
      DataError: The template has other slots.
    """
    if capability not in PROMPTS:
        raise unknown("capability", capability, PROMPTS)
    template = PROMPTS[capability] if prompt is None else prompt
    return fill(template, {slot: str(value) for slot, value in content.items()})
