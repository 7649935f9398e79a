"""The networks of the miniatures: one small language model, and stored media with a connector each."""

import dataclasses
from typing import Any

from unified_io.backbones.decoder_only import DecoderOnlyConfig
from unified_io.chat_vocab import ChatVocabulary
from unified_io.connected_lm import ConnectedLMConfig
from unified_io.dialog.formats import S3, MediaStyle
from unified_io.modalities.connected.chat import ChatInput, ChatTarget
from unified_io.modalities.connected.medium import Medium

WIDTH = 128
VOCABULARY = ChatVocabulary(added=("<RS>", "</RS>", "<user>", "<bot>", "<system>"))
# Turns as S3 marks them, without marks around media: the language model has read no such mark.
FORMAT = dataclasses.replace(
    S3, tokens=("<s>", *VOCABULARY.added), media=MediaStyle(at="question"), alternate=True
)
_CHAT: dict[str, Any] = {"vocabulary": VOCABULARY, "format": FORMAT}


def system(*media: Medium) -> ConnectedLMConfig:
    """Returns the language model with media; without any it reads words alone."""
    backbone = DecoderOnlyConfig(
        vocab_size=VOCABULARY.rows,
        width=WIDTH,
        num_layers=4,
        num_heads=4,
        num_kv_heads=2,
        head_dim=32,
        mlp_dim=384,
        scan_layers=True,
    )
    return ConnectedLMConfig(
        backbone, (ChatInput(**_CHAT, max_length=64), *media), (ChatTarget(**_CHAT, max_length=12),)
    )
