#!/usr/bin/env bash
# Starts a cluster, runs one command of artcluster on it, and ends the cluster whatever became of it.
#
#   cluster_configs/nightly.sh cluster_configs/aws.yaml update s3://museum/scans s3://museum/store
#
# In the repository, from cron for instance. Its exit code is 0 where the command's is; the job's own
# code stands in the output. The same again goes on from the last commit.
set -euo pipefail

config=${1:?a cluster config}
verb=${2:?a command of artcluster, such as update}
shift 2
trap 'ray down --yes "$config"' EXIT

ray up --yes "$config"
entrypoint=(python -m "jobs.$verb" "$@")
ray exec "$config" ". ~/artcluster-env/bin/activate; RAY_AUTH_MODE=token \
ray job submit --address http://127.0.0.1:8265 -- ${entrypoint[*]@Q}"
