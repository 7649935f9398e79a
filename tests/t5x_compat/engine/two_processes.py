"""One of two processes that work as one: `two_processes.py PORT INDEX FOLDER CHECKPOINT SEARCH_PATHS infer|train`."""

import sys

import jax

from tests.t5x_compat import tiny_job  # noqa: F401  (its tasks)
from unified_io import cli


def main(port, index, folder, checkpoint, paths, what):
    """Infers or fine-tunes."""
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    joined = f"--coordinator_address=127.0.0.1:{port}", "--process_count=2", f"--process_index={index}"

    def run(verb, name, *flags):
        files = [f"--gin_file={file}.gin" for file in ("tiny_model", name, "tiny_job")]
        assert cli.main([verb, f"--gin_search_paths={paths}", *files, *flags, *joined]) == cli.OK

    if what == "infer":
        run("infer", "infer", f"--gin.CHECKPOINT_PATH={checkpoint}", f"--gin.INFER_OUTPUT_DIR={folder}/said")
    else:
        run(
            "train",
            "finetune",
            f"--gin.INITIAL_CHECKPOINT_PATH={checkpoint}",
            f"--gin.MODEL_DIR={folder}/tuned",
            "--gin.TRAIN_STEPS_RELATIVE=1",
            "--gin.EVAL_STEPS=1",
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
