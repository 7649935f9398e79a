#!/usr/bin/env bash
# Trains on all hosts of one Cloud TPU slice. Not yet run.
#
#   NAME=SLICE ZONE=ZONE launch/tpu_slice.sh --gin_file=FILE --gin_file=gin_configs/mesh/fsdp.gin --model_dir=FOLDER
#
# Every host has this checkout in ~/unified-io with JAX for TPUs in its .venv. FOLDER is one that all hosts share: a
# Filestore, or a bucket mounted with gcsfuse.
set -euo pipefail

gcloud compute tpus tpu-vm ssh "${NAME:?}" --zone="${ZONE:?}" --worker=all \
  --command="cd ~/unified-io && .venv/bin/unified-io train --multiprocess $(printf '%q ' "$@")"
