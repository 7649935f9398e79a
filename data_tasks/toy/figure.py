"""A puppet of capsules: where its 17 COCO joints are, and the limbs between them. Knows no picture."""

import math

import numpy as np
from jaxtyping import Float

from data_tasks.toy.scene import Puppet
from data_tasks.toy.shapes import Capsule
from unified_io.structures import COCO_PARTS

LIMITS = (
    (-0.3, 2.6),  # raise of the left upper arm, forwards and up
    (-0.3, 2.6),
    (0.1, 1.2),  # spread of the left upper arm, away from the body
    (0.1, 1.2),
    (0.0, 2.0),  # bend of the left elbow
    (0.0, 2.0),
    (-0.5, 1.0),  # swing of the left thigh, forwards
    (-0.5, 1.0),
    (0.0, 1.4),  # bend of the left knee, backwards
    (0.0, 1.4),
    (-0.7, 0.7),  # turn of the head, to its left
)
"""Least and largest of `Puppet.angles`, radians."""

# Colours of the parts tell left from right: a puppet is else the same from the front as from behind.
SKIN, SHIRT, LEFT, RIGHT, DARK = (
    (0.9, 0.7, 0.55),
    (0.35, 0.4, 0.45),
    (0.2, 0.6, 0.6),
    (0.75, 0.4, 0.25),
    (0.1, 0.1, 0.1),
)
_LIMB, _HEAD, _FACE = 0.035, 0.085, 0.018  # radii, in heights
_RADII = dict.fromkeys(COCO_PARTS, _LIMB) | dict.fromkeys(COCO_PARTS[:5], _FACE)


def joints(puppet: Puppet) -> Float[np.ndarray, "17 3"]:
    """Returns where the COCO parts of a puppet are in the world, in their fixed order; left is its own left."""
    raise_l, raise_r, spread_l, spread_r, elbow_l, elbow_r, swing_l, swing_r, knee_l, knee_r, turn = (
        puppet.angles
    )
    found: dict[str, np.ndarray] = {}
    head = np.array([0.0, 0.0, 0.9])
    for part, place in (("nose", (0.0, 1.08, 0.0)), ("eye", (0.4, 0.92, 0.35)), ("ear", (1.0, 0.0, 0.1))):
        for side, sign in (("left ", -1), ("right ", 1)):
            name = part if part == "nose" else side + part
            found[name] = head + _HEAD * _turned(np.array([sign * place[0], place[1], place[2]]), turn)
    for side, sign, lift, spread, elbow, swing, knee in (
        ("left", -1, raise_l, spread_l, elbow_l, swing_l, knee_l),
        ("right", 1, raise_r, spread_r, elbow_r, swing_r, knee_r),
    ):
        shoulder, hip = np.array([sign * 0.12, 0.0, 0.78]), np.array([sign * 0.075, 0.0, 0.5])
        outward = np.array([sign * math.sin(spread), 0.0, 0.0])
        upper = outward + math.cos(spread) * _swung(lift)
        found[f"{side} shoulder"], found[f"{side} elbow"] = shoulder, shoulder + 0.16 * upper
        found[f"{side} wrist"] = found[f"{side} elbow"] + 0.15 * (
            outward * math.cos(elbow) + math.cos(spread) * _swung(lift + elbow)
        )
        found[f"{side} hip"], found[f"{side} knee"] = hip, hip + 0.24 * _swung(swing)
        found[f"{side} ankle"] = found[f"{side} knee"] + 0.22 * _swung(swing - knee)
    body = np.stack([found[part] for part in COCO_PARTS])
    # It stands on the lower foot.
    lowest = min(found["left ankle"][2], found["right ankle"][2])
    body[:, 2] += _LIMB - lowest
    world = puppet.height * _turned(body, puppet.yaw)
    return world + np.array([*puppet.position, 0.0])


def limbs(puppet: Puppet) -> list[tuple[Capsule, tuple[float, float, float]]]:
    """Returns the capsules of a puppet and their colours."""
    at = dict(zip(COCO_PARTS, joints(puppet), strict=True))
    middle = (at["left ear"] + at["right ear"]) / 2
    chest = (at["left shoulder"] + at["right shoulder"]) / 2
    waist = (at["left hip"] + at["right hip"]) / 2
    parts = [
        (middle, middle, _HEAD, SKIN),
        (chest, middle, 0.03, SKIN),
        (chest, waist, 0.075, SHIRT),
        (at["left shoulder"], at["right shoulder"], 0.045, SHIRT),
        (at["left hip"], at["right hip"], 0.05, SHIRT),
        (at["nose"], at["nose"], _FACE, SKIN),
    ]
    for side, colour in (("left", LEFT), ("right", RIGHT)):
        for first, second in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")):
            parts.append((at[f"{side} {first}"], at[f"{side} {second}"], _LIMB, colour))
        parts.append((at[f"{side} eye"], at[f"{side} eye"], _FACE, DARK))
        parts.append((at[f"{side} ear"], at[f"{side} ear"], _FACE, SKIN))
    return [
        (Capsule(tuple(start), tuple(end), radius * puppet.height), colour)
        for start, end, radius, colour in parts
    ]


def depths(puppet: Puppet) -> Float[np.ndarray, "17"]:
    """Returns how far below the surface every joint lies, metres; the thickest limb about it counts."""
    radii = dict(_RADII)
    for part in ("shoulder", "hip"):
        radii[f"left {part}"] = radii[f"right {part}"] = 0.075
    return np.array([radii[part] for part in COCO_PARTS]) * puppet.height


def _swung(angle: float) -> Float[np.ndarray, "3"]:
    """The direction of a limb that hangs down and is swung forwards."""
    return np.array([0.0, math.sin(angle), -math.cos(angle)])


def _turned(points: Float[np.ndarray, "*n 3"], yaw: float) -> Float[np.ndarray, "*n 3"]:
    c, s = math.cos(yaw), math.sin(yaw)
    return points @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
