#!/usr/bin/env bash
# Recommend what comes out next: train on the plays before a day, test on the songs that come later.
#
# The tables of plays (with times and artists) and of tags are invented here; put your own in their
# place. It takes a workspace of its own, and models that are not trained yet: from model_1 on.
#
# Usage: examples/new_releases.sh [WORKSPACE]
set -euo pipefail
export TARTARUS_WORKSPACE=${1:-new-releases}
tables=$TARTARUS_WORKSPACE/tables
model=$TARTARUS_WORKSPACE/data/models/model_1/manifest.json
if [ -e "$model" ] && ! grep -q '"dataset": *"releases"' "$model"; then
  echo "$TARTARUS_WORKSPACE has models of other data: name a folder that is not there yet" >&2
  exit 2
fi

tartarus init "$TARTARUS_WORKSPACE"
python3 "$(dirname "$0")/make_releases.py" "$tables"

# Songs first played before July are train and val items, those of July to September test items. Later
# plays of the train songs are dropped, as nobody could have known them, and users without any other.
tartarus split releases --plays "$tables/plays.csv" --artist artist --core 5 \
  --by time --cut 2024-07-01 --until 2024-10-01 --drop-later
tartarus features releases tags --from "$tables/tags.tsv" --tags

# The cold_... experiments show R@20, nDCG@20 and HR@20 too; others do if they are told to.
tartarus run ridge_plays tags --dataset releases --set 'evaluation.k=[20]' --baselines

# New songs of artists that are known already, and of new ones; plays of artists that the user has
# played before, and of those that are a discovery.
tartarus evaluate model_1 --by known-artist
tartarus evaluate model_1 --by discovery
