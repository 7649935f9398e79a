"""A trained model as people use it: load it, hand over files or arrays, get text, pictures, sound or actions back.

Everything enters by the modalities' own `preprocess` and leaves by their own `detokenize`, as in training.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unified_io import checkpoint, configuration
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packer import prepare
from unified_io.data.packing import one_per_row
from unified_io.errors import CheckpointError, unknown
from unified_io.generation.decode import decode
from unified_io.generation.sampling import Sampler
from unified_io.loss import token_loss
from unified_io.model import Encoded, Network, UnifiedIOConfig, parameter_shapes

CONFIG_FILE = "config.json"
PARAMS_FOLDER = "params"


def from_pretrained(path: str | Path) -> "UnifiedIO":
    """Loads a model that `save_pretrained` (or a finished training job) wrote.

    Args:
      path: The folder with `config.json` and `params/`, or a job's folder with them under `model/`.

    Raises:
      CheckpointError: There is no model, or its parameters are not those of its config.
    """
    folder = Path(path)
    if not (folder / CONFIG_FILE).is_file() and (folder / "model" / CONFIG_FILE).is_file():
        folder = folder / "model"
    if not (folder / CONFIG_FILE).is_file():
        raise CheckpointError(
            f"no {CONFIG_FILE} in {str(path)!r}; train one first: "
            f"unified-io train --gin_file=gin_configs/run/digits.gin --model_dir={path}"
        )
    config = configuration.from_json((folder / CONFIG_FILE).read_text())
    if not isinstance(config, UnifiedIOConfig):
        raise CheckpointError(
            f"{folder / CONFIG_FILE} describes a {type(config).__name__}, not a UnifiedIOConfig"
        )
    import flax.linen as nn

    params, _ = checkpoint.load_params(folder / PARAMS_FOLDER, nn.meta.unbox(parameter_shapes(config)))
    return UnifiedIO(config, params)


class UnifiedIO:
    """A model with its parameters.

        model = from_pretrained("runs/digits")
        model.generate("image", text="draw the digit seven")
        model.generate("text", image="seven.png", text="which digit is this?")

    Inputs are given by modality name: `text` a string, `image` a path or pixels, `audio` a WAV path or a waveform,
    `action` pen points [n, 3], histories a list of the same.
    """

    def __init__(self, config: UnifiedIOConfig, params: Any):
        self.config = config
        self.params = params
        self._module = Network(config)
        self._generate = jax.jit(self._generate_rows, static_argnames=("target", "length", "sampler"))
        self._score = jax.jit(self._score_rows)
        self._reconstruct = jax.jit(
            lambda params, bank, target: self._apply(params, bank, target, method="reconstruct"),
            static_argnames="target",
        )
        self._encode = jax.jit(lambda params, batch: self._apply(params, batch, method="encode"))

    def save_pretrained(self, path: str | Path) -> None:
        """Writes `config.json` and `params/`; `from_pretrained` reads them."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint.save_params(folder / PARAMS_FOLDER, self.params)
        (folder / CONFIG_FILE).write_text(configuration.to_json(self.config))

    def generate(self, output: str = "text", **options: Any) -> Any:
        """Makes one output from one set of inputs; see `generate_batch` for the options.

        Returns:
          A string, pixels [h, w, 3] in [0, 1], a waveform, or pen points [n, 3], as `output` asks.
        """
        inputs = {name: options.pop(name) for name in list(options) if name not in OPTIONS}
        return self.generate_batch([inputs], output, **options)[0]

    def generate_batch(
        self,
        examples: Sequence[Mapping[str, Any]],
        output: str = "text",
        *,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        max_length: int | None = None,
        seed: int = 0,
    ) -> list[Any]:
        """Makes one output for every example.

        Args:
          examples: Inputs by modality name; what the model does not read is an error.
          output: Name of the target modality.
          temperature: 0 is greedy; unless told, what suits the modality. Likewise `top_k` and `top_p`.
          max_length: Most tokens to write.
          seed: Seeds the sampling; the same seed gives the same output.

        Raises:
          ConfigError: An unknown modality or an option out of range.
          DataError: Inputs that can not be read, or that are longer than the model takes.
        """
        target = self.config.target(output)
        fields = [self._read(example, target.prefix) for example in examples]
        sampler = _sampler(target.sampler, temperature, top_k, top_p)
        results = self.generate_fields(fields, output, sampler=sampler, max_length=max_length, seed=seed)
        return [target.present(field) for field in results]

    def generate_fields(
        self,
        examples: Sequence[Mapping[str, Any]],
        output: str,
        *,
        sampler: Sampler | None = None,
        max_length: int | None = None,
        seed: int = 0,
    ) -> list[Any]:
        """Makes one output for every example of a task, in raw fields on both sides (see `modalities.base.FIELDS`).

        Args:
          examples: Raw fields as a task gives them, the paradigm token in front of the prompt; targets are ignored.
          output: Name of the target modality.
          sampler: How to choose tokens; unless told, what suits the modality.
          max_length: Most tokens to write.
          seed: Seeds the sampling.
        """
        target = self.config.target(output)
        length = target.length if max_length is None else min(max_length, target.length)
        read = {field for m in self.config.inputs for field in m.fields}
        results: list[Any] = []
        for start in range(0, len(examples), MAX_ROWS):
            part = [
                {key: example[key] for key in read & example.keys()}
                for example in examples[start : start + MAX_ROWS]
            ]
            batch = self._batch(part)
            keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(seed), i))(
                jnp.arange(start, start + batch["encoder"]["slots"].shape[1])
            )
            rendered = self._generate(self.params, batch, keys, output, length, sampler or target.sampler)
            results += [target.detokenize(row) for row in np.asarray(rendered)[: len(part)]]
        return results

    def reconstruct(self, fields: Sequence[Any], target: str) -> list[Any]:
        """Tokenizes raw fields of a target modality and turns the tokens back: what its tokenizer keeps of them."""
        modality = self.config.target(target)
        rebuilt = []
        for field in fields:
            features = modality.preprocess({modality.fields[0]: field}, seed=0, training=False)
            rebuilt.append(jax.tree.map(lambda x: x[None], features))
        bank = {key: np.concatenate([features[key] for features in rebuilt]) for key in rebuilt[0]}
        rendered = self._reconstruct(self.params, bank, target)
        return [modality.detokenize(row) for row in np.asarray(rendered)]

    def score(self, answers: Sequence[str], **inputs: Any) -> np.ndarray:
        """Log-probability of each answer given the same inputs, in nats: float [answers].

        Answers are text; compare them to choose among options.
        """
        target = self.config.target("text") if "text" in [m.name for m in self.config.targets] else None
        if target is None:
            raise unknown("target modality", "text", [m.name for m in self.config.targets])
        fields = self._read(inputs, target.prefix)
        batch = self._batch([{**fields, target.fields[0]: answer} for answer in answers])
        return np.asarray(self._score(self.params, batch)[target.name])[: len(answers)]

    def encode(self, **inputs: Any) -> np.ndarray:
        """Encoder states of one set of inputs: float [tokens, D], in the order of the config's inputs."""
        encoded = self._encode(self.params, self._batch([self._read(inputs, "")]))
        real = np.asarray(encoded.segment_ids[0]) > 0
        return np.asarray(encoded.hidden[0], np.float32)[real]

    def _read(self, example: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        """Turns what the user gave into raw fields, the paradigm token in front of the prompt."""
        known = {m.name: m for m in self.config.inputs}
        fields = {}
        for name, value in example.items():
            if name not in known:
                raise unknown("input or option", name, known)
            if value is not None:
                fields[known[name].fields[0]] = known[name].read(value)
        prompt = fields.get("text_inputs", "")
        fields["text_inputs"] = prompt if prompt.startswith("[") else prefix + prompt
        return fields

    def _batch(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Preprocesses examples and lays them out one a row, padded to few different shapes."""
        inputs, targets = self.config.inputs, self.config.targets
        prepared = [prepare(example, inputs, targets) for example in examples]
        lengths = [example.lengths for example in prepared]
        rows = _bucket(len(examples), 1)
        budgets = Budgets(
            rows,
            _bucket(max(x.encoder for x in lengths), 64),
            _bucket(max(x.decoder for x in lengths), 8),
            {m.name: rows * m.max_items for m in inputs},
            {m.name: rows * m.max_items for m in targets},
        )
        return assemble([x.features for x in prepared], one_per_row(lengths, budgets), inputs, targets)

    def _apply(self, params: Any, *args: Any, method: Any, **kwargs: Any) -> Any:
        return self._module.apply({"params": params}, *args, method=method, **kwargs)

    def _generate_rows(self, params, batch, keys, target: str, length: int, sampler: Sampler):
        encoded: Encoded = self._apply(params, batch, method="encode")
        seen = encoded.segment_ids > 0

        def step(cache, tokens, index):
            return self._apply(params, cache, tokens, index, seen, target, method="step")

        tokens, _ = decode(
            step,
            self._apply(params, encoded, length, method="start"),
            batch_size=seen.shape[0],
            length=length,
            sampler=sampler,
            rng=keys,
            eos_id=self.config.target(target).end_token,
        )
        return self._apply(params, tokens, target, method="render")

    def _score_rows(self, params, batch) -> dict[str, jax.Array]:
        outputs = self._apply(params, batch, method="__call__")
        rows, length = batch["decoder"]["slots"].shape[1:]
        scores = {}
        for name, out in outputs.items():
            cross_entropy, _ = token_loss(out.logits, out.tokens, 0.0)
            row = batch["heads"][name]["positions"] // length
            scores[name] = jax.ops.segment_sum((-cross_entropy * out.weights)[0], row[0], num_segments=rows)
        return scores


MAX_ROWS = 128
OPTIONS = ("temperature", "top_k", "top_p", "max_length", "seed")


def _bucket(need: int, least: int) -> int:
    """Rounds up to `least` times a power of two, so that few shapes are ever compiled."""
    size = least
    while size < need:
        size *= 2
    return size


def _sampler(default: Sampler, temperature: float | None, top_k: int | None, top_p: float | None) -> Sampler:
    return Sampler(
        default.temperature if temperature is None else temperature,
        default.top_k if top_k is None else top_k,
        default.top_p if top_p is None else top_p,
    )
