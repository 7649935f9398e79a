"""How likely given texts are: answers packed into few rows, and the scores of their tokens added up again."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from unified_io.api.compiled import compiled
from unified_io.api.engine import Engine
from unified_io.api.options import Options
from unified_io.api.rows import lay_out, needed
from unified_io.errors import ConfigError, unknown
from unified_io.modalities.connected.chat import ChatTarget
from unified_io.modalities.text import TextTarget


class Scoring(Engine):
    """Scores texts."""

    def score(self, answers: Sequence[str], **inputs: Any) -> Float[np.ndarray, " answers"]:
        """Log-probability of each text given the same inputs, EOS included, in nats.

        Compare the answers to choose among options.
        """
        return self.score_batch([inputs], answers)[0]

    def score_batch(
        self,
        examples: Sequence[Mapping[str, Any]],
        answers: Sequence[str],
        *,
        by: Literal["sum", "mean"] = "sum",
        **options: Any,
    ) -> Float[np.ndarray, "examples answers"]:
        """Scores the same texts for every example. Many short answers share a row: the inputs are encoded once.

        Args:
          examples: Inputs by modality name.
          answers: Texts, each scored by itself.
          by: "sum" is the log-probability in nats, "mean" that divided by the number of tokens; both count EOS once.
          options: `batch_size`, `progress` (rows of answers) and `allow_random`, as in `Options`.

        Raises:
          ConfigError: An answer is empty or longer than the model writes, or the model writes no text.
        """
        fields = [self.read(example, "text") for example in examples]
        return self.score_fields(fields, answers, by=by, **options)

    def score_fields(
        self,
        examples: Sequence[Mapping[str, Any]],
        answers: Sequence[str],
        *,
        by: Literal["sum", "mean"] = "sum",
        **options: Any,
    ) -> Float[np.ndarray, "examples answers"]:
        """As `score_batch`, for examples in raw fields."""
        if by not in ("sum", "mean"):
            raise unknown("way to score", str(by), ("sum", "mean"))
        chosen = Options.read(options, only=("batch_size", "progress", "allow_random"))
        params = self._trained(chosen.allow_random)
        target = self.config.target("text")
        rows = [(i, group) for i in range(len(examples)) for group in split(answers, target)]
        scores = np.zeros((len(examples), len(answers)))
        for start in range(0, len(rows), chosen.batch_size):
            part = rows[start : start + chosen.batch_size]
            texts = [{**examples[i], target.fields[0]: [answers[a] for a in group]} for i, group in part]
            config = needed(self.config, texts, target.name)
            batch = lay_out(config, texts)
            _, log_probs = compiled(config).log_probs(params, batch, target=target.name)
            for (i, group), found in zip(part, aggregate(batch, np.asarray(log_probs), by), strict=False):
                scores[i, group] = found[: len(group)]
            if chosen.progress:
                chosen.progress(start + len(part), len(rows))
        return scores

    def likelihood_fields(
        self, examples: Sequence[Mapping[str, Any]], target: str, **options: Any
    ) -> list[tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]]:
        """How likely the targets are that examples in raw fields hold.

        Args:
          examples: Each with its inputs and a target of that modality.
          target: The modality.
          options: `batch_size`, `progress` (examples) and `allow_random`, as in `Options`.

        Returns:
          Per example the tokens that training would count, EOS included, and their log-probabilities in nats.
        """
        chosen = Options.read(options, only=("batch_size", "progress", "allow_random"))
        params = self._trained(chosen.allow_random)
        found = []
        for start in range(0, len(examples), chosen.batch_size):
            part = examples[start : start + chosen.batch_size]
            config = needed(self.config, part, target)
            batch = lay_out(config, part)
            tokens, log_probs = compiled(config).log_probs(params, batch, target=target)
            head, length = batch["heads"][target], batch["decoder"]["segment_ids"].shape[-1]
            rows = np.where(head["weights"][0] > 0, head["positions"][0] // length, -1)
            for row in range(len(part)):
                found.append((np.asarray(tokens)[0, rows == row], np.asarray(log_probs)[0, rows == row]))
            if chosen.progress:
                chosen.progress(len(found), len(examples))
        return found


def split(answers: Sequence[str], target: TextTarget | ChatTarget) -> list[list[int]]:
    """Groups answers so that each group fits a row as parallel streams: their indices, in order.

    Raises:
      ConfigError: There is none, or one is empty or longer than the model writes.
    """
    if isinstance(answers, str) or not len(answers):
        raise ConfigError(f"got {answers!r} to score; give a list of answers")
    groups: list[list[int]] = []
    room = 0
    for index, answer in enumerate(answers):
        tokens = target.cost(answer) if answer.strip() else 0
        if not 1 < tokens <= target.max_length:
            what = f"{tokens} tokens long, the model writes {target.max_length}" if tokens else "empty"
            raise ConfigError(f"answer {index} ({answer[:40]!r}) is {what}; it can not be scored")
        if tokens > room:
            groups.append([])
            room = target.max_length
        groups[-1].append(index)
        room -= tokens
    return groups


def aggregate(
    batch: Mapping[str, Any], log_probs: Float[np.ndarray, "1 places"], by: str
) -> Float[np.ndarray, "rows answers"]:
    """Adds the log-probabilities of tokens up by row and answer; "mean" divides by the number of tokens.

    Args:
      batch: As `rows.lay_out` makes it, one example a row, its answers parallel streams of text.
      log_probs: One a place of the bank of text targets, in nats.
      by: "sum" or "mean".
    """
    segments = batch["decoder"]["segment_ids"][0]
    head = batch["heads"]["text"]
    real = head["weights"][0] > 0
    row, column = np.divmod(head["positions"][0][real], segments.shape[1])
    where = (row, segments[row, column] - 1)
    shape = (len(segments), segments.max(initial=1))
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, where, log_probs[0][real].astype(np.float64))
    np.add.at(count, where, 1)
    return total / np.maximum(count, 1) if by == "mean" else total
