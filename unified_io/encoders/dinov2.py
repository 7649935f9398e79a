"""DINOv2: the image ViT of `clip.py` with a learned factor a channel, and a gated MLP in the giant one."""

from dataclasses import dataclass

from unified_io.encoders.clip import ClipConfig, ClipVit

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Dinov2Config(ClipConfig):
    """A DINOv2. The defaults are ViT-L/14, whose tokens are read behind the final norm.

    The giant is 1536 wide with 24 heads, 40 layers, activation "swiglu" and the mlp_dim of `gated_dim`. Its position
    table is of images of 518 pixels, the size at which it was trained last.
    """

    activation: str = "gelu"
    epsilon: float = 1e-6
    layer_scale: bool = True
    grid: int = 37
    patch_bias: bool = True
    pre_norm: bool = False
    final_norm: bool = True
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


def gated_dim(plain: int) -> int:
    """Hidden units of a gated MLP with about the parameters of a plain one: two thirds, up to a multiple of 8."""
    return (int(plain * 2 / 3) + 7) // 8 * 8


class Dinov2(ClipVit):
    """Pixels to patch tokens, and the class token as one vector for the image."""

    config: Dinov2Config = Dinov2Config()
