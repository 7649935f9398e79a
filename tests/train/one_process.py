"""A small job, trained by this process alone or by several. Run as a program.

python one_process.py '{"folder": "run", "name": "a", "total_steps": 4, "hosts": [port, count, index]}'
"""

import json
import sys
from pathlib import Path

import flax.linen as nn
import numpy as np

from unified_io.train import hosts


def main(folder: str, name: str, total_steps: int, hosts_: tuple[int, int, int] | None) -> None:
    """Trains in a folder up to a step; leaves its reports and the last parameters under its name."""
    if hosts_ is not None:
        port, count, index = hosts_
        hosts.start(f"127.0.0.1:{port}", count, index, timeout_s=60)
    # Whatever may ask for the devices comes after the start.
    import jax
    import seqio
    import tensorflow as tf
    from tiny import VIT, VQGAN, tiny_examples

    from unified_io import pytree
    from unified_io.backbones.encoder_decoder import BackboneConfig
    from unified_io.data import pipeline
    from unified_io.data.budgets import Budgets
    from unified_io.modalities.image import ImageInput, ImageTarget
    from unified_io.modalities.text import TextInput, TextTarget
    from unified_io.model import UnifiedIOConfig, parameter_shapes
    from unified_io.train import mesh as meshes
    from unified_io.train import optimizer as optimizers
    from unified_io.train.job import DataCheckpoints, TrainJob
    from unified_io.train.loop import fit
    from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig
    from unified_io.train.step import make_train_step
    from unified_io.train.telemetry import Telemetry

    assert jax.device_count() == 8
    fields = ("text_inputs", "text_targets", "image_inputs", "image_targets", "meta/id")

    def numbers(split, shuffle_files, seed=None):
        return tf.data.Dataset.range(200).map(lambda i: {"number": i})

    def example(raw, rng):
        number = int(raw["number"])
        found = tiny_examples(number)[number % 2]  # one reads a picture, the other draws one
        return {key: value for key, value in found.items() if key in fields} | {"meta/id": str(number)}

    seqio.TaskRegistry.add(
        "hosts",
        source=seqio.FunctionDataSource(numbers, splits=("train",), num_input_examples={"train": 200}),
        preprocessors=[pipeline.numpy_map(example, fields, "hosts")],
        output_features=pipeline.output_features(fields[:1]),
        shuffle_buffer_size=20,
    )
    model = UnifiedIOConfig(
        BackboneConfig(
            emb_dim=16, num_heads=2, head_dim=8, mlp_dim=32, num_encoder_layers=1, num_decoder_layers=1
        ),
        (TextInput(max_length=24), ImageInput(resolution=16, patch=8, vit=VIT, frozen=False)),
        (TextTarget(max_length=12), ImageTarget(vocab_size=40, vqgan=VQGAN)),
    )
    job = TrainJob(
        folder,
        model,
        "hosts",
        Budgets(1, 48, 32, {"text": 48, "image": 2}, {"text": 16, "image": 1}),
        OptimizerConfig("adamw", ScheduleConfig("constant", base=0.01), eps=1e-3, frozen=("/tokenizer/",)),
        total_steps,
        mesh=meshes.MeshConfig(data=4, fsdp=2),
        checkpoint_period=2,
    )
    mesh = meshes.make_mesh(job.mesh)
    optimizer = optimizers.build(job.optimizer, nn.unbox(parameter_shapes(job.model)))
    with meshes.use(mesh):
        state = job._initial_state(mesh, optimizer, {})
        step = make_train_step(job._loss_fn(), optimizer, seed=job.seed)
        with (
            DataCheckpoints(Path(folder, "checkpoints"), job._loader(mesh)) as checkpoints,
            Telemetry(Path(folder, name), "train", total_steps) as telemetry,
        ):
            state = fit(
                state,
                lambda state, batch: step(state, meshes.shard_batch(batch, mesh)),
                checkpoints.batches,
                total_steps=total_steps,
                checkpoints=checkpoints,
                checkpoint_period=job.checkpoint_period,
                telemetry=telemetry,
                report_period=1,
            )
        np.savez(Path(folder, f"{name}.npz"), **pytree.named_leaves(meshes.whole(state.params)))


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    main(given["folder"], given["name"], given["total_steps"], given.get("hosts"))
