#!/usr/bin/env bash
# From recordings and lyrics to a multimodal experiment.
#
# Classifies the songs of the example's dataset SUPER (synthesised, in three invented styles) by
# their sound, by their words, and by both; then it tells the style of a recording and of a text as
# if they were new.
#
# Usage: examples/audio_text_and_both.sh [WORKSPACE]
set -euo pipefail
export TARTARUS_WORKSPACE=${1:-workspace}

tartarus init "$TARTARUS_WORKSPACE" --example

# Each network is read out at its last hidden layer; `name_of` prints the model that a run made.
name_of() { python3 -c 'import json, sys; print(json.load(sys.stdin)["model"])'; }

tartarus patches SUPER
sound=$(tartarus run dummy_audio --json | name_of)
tartarus predict "$sound" --layer flatten

tartarus text SUPER vsm --setting bow
words=$(tartarus run dummy_text_vsm bow --json | name_of)
tartarus predict "$words" --layer dense_2

# So few texts teach a network of words little in an epoch: it gets more of them before it is stopped.
tartarus text SUPER w2v
sequence=$(tartarus run dummy_text_w2v w2v --set training.patience=40 --json | name_of)
tartarus predict "$sequence" --layer dense_1

tartarus run dummy_multimodal "$sound-pred_flatten" "$words-pred_dense_2"

tartarus predict "$sound" --audio "$TARTARUS_WORKSPACE/audio/S01.flac"
tartarus predict "$words" --text "$TARTARUS_WORKSPACE/text/S01.txt"

cut -f 1-3,7 "$TARTARUS_WORKSPACE/data/results/results.tsv"
