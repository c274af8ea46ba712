#!/usr/bin/env bash
# Are two views of a song better than one?
#
# Trains the same experiment on the artist's text alone, on the sound alone, and on both, in the
# synthetic example world, and prints one line for each.
#
# Usage: examples/one_view_or_two.sh [WORKSPACE]
set -euo pipefail
workspace=${1:-workspace}

tartarus init "$workspace" --example

# An experiment of one's own: the preset, cut to one input.
cat > "$workspace/experiments/one_view.toml" <<'TOML'
extends = "rec_multi"
description = "Cold-start songs from one representation"

[inputs]
count = 1
TOML

tartarus run one_view a-sem-emb --workspace "$workspace"
tartarus run one_view audio-emb --workspace "$workspace"
tartarus run rec_multi a-sem-emb audio-emb --workspace "$workspace"

cut -f 1-3,7 "$workspace/data/results/results.tsv"
