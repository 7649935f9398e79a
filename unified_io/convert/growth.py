"""New tokens for a language model that others trained: more ids, and rows for them that mean nothing yet."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from unified_io import pytree
from unified_io.connected_lm import ConnectedLMConfig
from unified_io.errors import ConfigError
from unified_io.modalities.connected.chat import LANGUAGE_MODEL
from unified_io.model import UnifiedIOConfig

_TABLE, _HEAD = f"{LANGUAGE_MODEL}/embedding", f"{LANGUAGE_MODEL}/lm_head/kernel"


def with_tokens(
    config: UnifiedIOConfig, params: Any, tokens: Sequence[str]
) -> tuple[UnifiedIOConfig, dict[str, Any]]:
    """Adds tokens to the vocabulary of a connected model; each begins as the mean of all tokens there are.

    So a new token is written about as often as the average one before anything is learned; a row drawn at random
    could take all of the probability. Ids follow those in use; where a table has spare rows, these are taken.

    Args:
      config: The model.
      params: Its parameters.
      tokens: Spellings of the new ones.

    Returns:
      The model with the tokens, and its parameters.

    Raises:
      ConfigError: The model is no connected one, or has such a token.
    """
    if not isinstance(config, ConnectedLMConfig):
        raise ConfigError(f"new tokens are for language models with media; this is a {type(config).__name__}")
    [vocabulary] = {m.vocabulary for m in (*config.inputs, *config.targets) if hasattr(m, "vocabulary")}
    if known := [token for token in tokens if token in vocabulary.added or tokens.count(token) > 1]:
        raise ConfigError(f"the token {known[0]!r} is there already, or twice; leave it out of new_tokens")
    used, wanted = vocabulary.used, vocabulary.used + len(tokens)
    rows = max(config.backbone.vocab_size, wanted)
    size = None if vocabulary.size is None else max(vocabulary.size, wanted)
    more = dataclasses.replace(vocabulary, added=(*vocabulary.added, *tokens), size=size)

    def told(modality: Any) -> Any:
        return dataclasses.replace(modality, vocabulary=more) if hasattr(modality, "vocabulary") else modality

    grown = dataclasses.replace(
        config,
        backbone=dataclasses.replace(config.backbone, vocab_size=rows),
        inputs=tuple(map(told, config.inputs)),
        targets=tuple(map(told, config.targets)),
    )
    named = pytree.named_leaves(params)
    tables = {name: _grown(named[name], used, wanted, rows) for name in (_TABLE,)}
    if _HEAD in named:
        tables[_HEAD] = _grown(named[_HEAD].T, used, wanted, rows).T
    return grown, pytree.nested({**named, **tables})


def _grown(table: Float[Array, "V D"], used: int, wanted: int, rows: int) -> Float[Array, "rows D"]:
    """Returns a table of so many rows; those from `used` to `wanted` are the mean of the ones before."""
    table = jnp.asarray(table)
    whole = jnp.concatenate([table, jnp.zeros((rows - len(table), table.shape[1]), table.dtype)])
    return whole.at[used:wanted].set(table[:used].mean(axis=0))
