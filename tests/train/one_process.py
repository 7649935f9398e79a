"""A small job, trained by this process alone or by several. Run as a program.

python one_process.py '{"runs": [["folder", "name", 4]], "hosts": [port, count, index]}'
"""

import json
import sys
from pathlib import Path

import numpy as np
import optax

from unified_io.train import hosts


def main(runs: list[tuple[str, str, int]], hosts_: tuple[int, int, int] | None) -> None:
    """Trains in folders up to steps; leaves the reports and the last parameters of each run under its name."""
    if hosts_ is not None:
        port, count, index = hosts_
        hosts.start(f"127.0.0.1:{port}", count, index, timeout_s=60)
    # Whatever may ask for the devices comes after the start.
    import jax
    import seqio
    import tensorflow as tf
    from tiny import VIT, tiny_examples

    from unified_io import pytree
    from unified_io.backbones.encoder_decoder import BackboneConfig
    from unified_io.data import pipeline
    from unified_io.data.budgets import Budgets
    from unified_io.modalities.image import ImageInput
    from unified_io.modalities.text import TextInput, TextTarget
    from unified_io.model import UnifiedIOConfig
    from unified_io.train import mesh as meshes
    from unified_io.train.data_checkpoints import DataCheckpoints
    from unified_io.train.job import TrainJob
    from unified_io.train.loop import fit
    from unified_io.train.optimizer import OptimizerConfig
    from unified_io.train.step import make_train_step
    from unified_io.train.telemetry import Telemetry

    assert jax.device_count() == 4
    fields = ("text_inputs", "text_targets", "image_inputs", "meta/id")

    def numbers(split, shuffle_files, seed=None):
        return tf.data.Dataset.range(200).map(lambda i: {"number": i})

    def example(raw, rng):
        number = int(raw["number"])
        found = {
            **tiny_examples(number)[0],
            "text_targets": "seven" * (1 + number % 3),
            "meta/id": str(number),
        }
        return {key: value for key, value in found.items() if number % 2 or key != "image_inputs"}

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
        (TextTarget(max_length=12),),
    )
    optimizer = optax.sgd(0.1, momentum=0.9)
    for folder, name, total_steps in runs:
        job = TrainJob(
            folder,
            model,
            "hosts",
            Budgets(1, 48, 32, {"text": 48, "image": 2}, {"text": 32}),
            OptimizerConfig(),  # not used: it would take longer to compile than everything else
            total_steps,
            mesh=meshes.MeshConfig(data=2, fsdp=2),
            checkpoint_period=2,
        )
        mesh = meshes.make_mesh(job.mesh)
        with meshes.use(mesh):
            state = job._initial_state(mesh, optimizer, {})
            step = make_train_step(job._loss_fn(), optimizer, seed=job.seed)
            with (
                DataCheckpoints(folder, job._loader(mesh)) as checkpoints,
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
                    save_first=True,
                )
            np.savez(Path(folder, f"{name}.npz"), **pytree.named_leaves(meshes.whole(state.params)))


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    main(given["runs"], given.get("hosts"))
