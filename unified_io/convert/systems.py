"""Whole connected systems out of Hugging Face folders: LLaVA and InstructBLIP, each as one of ours."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unified_io import pytree
from unified_io.chat_vocab import ChatVocabulary
from unified_io.connected_lm import ConnectedLMConfig
from unified_io.connectors.linear import MlpConfig
from unified_io.convert import hf, llama, qformer, vision
from unified_io.convert.families import CONFIG_FILE
from unified_io.convert.rules import TRANSPOSED, Rule, Table
from unified_io.convert.stores import read_json
from unified_io.dialog.formats import BARE, VICUNA, MediaStyle
from unified_io.errors import ConfigError
from unified_io.modalities.connected.chat import LANGUAGE_MODEL, ChatInput, ChatTarget
from unified_io.modalities.connected.fronts import ImageFront
from unified_io.modalities.connected.medium import Medium
from unified_io.vocabularies.wordpiece import WordPieceVocabulary

_LANGUAGE = "language_model."
_QUESTION = 128  # ids that a Q-Former reads of a question at most
_PROJECTOR = Table(
    "LLaVA",
    (
        Rule("linear_1.weight", "wi/kernel", TRANSPOSED),
        Rule("linear_1.bias", "wi/bias"),
        Rule("linear_2.weight", "wo/kernel", TRANSPOSED),
        Rule("linear_2.bias", "wo/bias"),
    ),
)

System = tuple[ConnectedLMConfig, dict[str, Any]]


def load(folder: str | Path) -> System | None:
    """Reads a whole system of Hugging Face's; None where the folder holds none of those in READERS.

    Raises:
      CheckpointError: Some of it is missing.
      ConfigError: It asks for what is not built here.
    """
    file = Path(folder) / CONFIG_FILE
    settings = read_json(file) if file.is_file() else {}
    kind = settings.get("model_type") if isinstance(settings, dict) else None
    return READERS[kind](folder) if kind in READERS else None


def llava(folder: str | Path) -> System:
    """Reads a LLaVA with a LLaMA: CLIP's patches, each through two matrices, in front of Vicuna's question.

    Raises:
      CheckpointError: The folder holds no such model, or not all of it.
      ConfigError: It asks for what is not built here.
    """
    settings = hf.settings(folder)
    if (activation := settings.get("projector_hidden_act", "gelu")) != "gelu":
        raise ConfigError(f"projector_hidden_act is {activation!r}; only 'gelu' is read")
    config, encoder = vision.load(folder)
    language, words = _language(folder, settings)
    projector = hf.read(folder, _PROJECTOR, prefix="multi_modal_projector.")
    connector = MlpConfig(
        out_width=language.width, hidden_dim=language.width, activation="gelu", dtype=language.dtype
    )
    # The picture stands where its author put it.
    chat = dataclasses.replace(VICUNA, media=MediaStyle(placeholder="<image>"))
    system = ConnectedLMConfig(
        language,
        (_words(folder, language, chat), _pictures(config, connector)),
        (_answers(folder, language, chat),),
    )
    return system, _joined(words, encoder, pytree.nested(projector))


def instruct_blip(folder: str | Path, pieces: str | None = None) -> System:
    """Reads an InstructBLIP with a LLaMA or Vicuna: EVA-CLIP, a Q-Former that reads the question, soft tokens first.

    Args:
      folder: Of Hugging Face's.
      pieces: BERT's vocab.txt; None is the one in the folder's `qformer_tokenizer`.

    Raises:
      CheckpointError: The folder holds no such model, or not all of it.
      ConfigError: It asks for what is not built here.
    """
    settings = hf.settings(folder)
    config, encoder = vision.load(folder)
    language, words = _language(folder, settings)
    pieces = pieces or str(Path(folder) / "qformer_tokenizer" / "vocab.txt")
    connector = qformer.config(settings)
    asked = WordPieceVocabulary(path=pieces, length=min(_QUESTION, connector.max_positions))
    picture = dataclasses.replace(_pictures(config, connector), instruction=asked)
    # What X-InstructBLIP adds in front of a medium is not InstructBLIP's.
    chat = dataclasses.replace(BARE, begin="", media=MediaStyle(at="first"))
    system = ConnectedLMConfig(
        language, (_words(folder, language, chat), picture), (_answers(folder, language, chat),)
    )
    return system, _joined(words, encoder, pytree.nested(qformer.read(folder)))


READERS: Mapping[str, Callable[..., System]] = {"llava": llava, "instructblip": instruct_blip}
"""What reads a folder, by the `model_type` in its config.json."""


def _language(folder: str | Path, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    config = llama.config(settings["text_config"])
    return config, llama.load(folder, config, prefix=_LANGUAGE)


def _pictures(encoder: Any, connector: Any) -> Medium:
    side = encoder.grid * encoder.patch
    front = ImageFront(side=side, mean=encoder.mean, std=encoder.std)
    return Medium(kind="image", front=front, encoder=encoder, connector=connector)


def _vocabulary(folder: str | Path, language: Any) -> ChatVocabulary:
    return ChatVocabulary(path=str(Path(folder) / "tokenizer.model"), size=language.vocab_size)


def _words(folder: str | Path, language: Any, chat: Any) -> ChatInput:
    return ChatInput(vocabulary=_vocabulary(folder, language), format=chat)


def _answers(folder: str | Path, language: Any, chat: Any) -> ChatTarget:
    return ChatTarget(vocabulary=_vocabulary(folder, language), format=chat)


def _joined(words: dict[str, Any], encoder: dict[str, Any], connector: dict[str, Any]) -> dict[str, Any]:
    return {LANGUAGE_MODEL: words, "shared_image_encoder": encoder, "shared_image_connector": connector}
