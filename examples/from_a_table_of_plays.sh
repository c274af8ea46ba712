#!/usr/bin/env bash
# From a table of plays to recommendations of songs that nobody has played yet.
#
# The table, one of tags and a folder of texts are invented here; put your own in their place.
# It takes a workspace of its own, and models that are not trained yet: from model_1 on.
#
# Usage: examples/from_a_table_of_plays.sh [WORKSPACE]
set -euo pipefail
export TARTARUS_WORKSPACE=${1:-from-plays}
tables=$TARTARUS_WORKSPACE/tables
model=$TARTARUS_WORKSPACE/data/models/model_1/manifest.json
if [ -e "$model" ] && ! grep -q '"dataset": *"mine"' "$model"; then
  echo "$TARTARUS_WORKSPACE has models of other data: name a folder that is not there yet" >&2
  exit 2
fi

tartarus init "$TARTARUS_WORKSPACE"
python3 "$(dirname "$0")/make_tables.py" "$tables"

# New songs are those of artists that are in no other set; factors know the train songs alone.
tartarus split mine --plays "$tables/plays.csv" --core 5 --by artist
tartarus factorize mine als --dim 32

# What is known of a song before anybody plays it: its tags, and a text.
tartarus features mine tags --from "$tables/tags.tsv" --tags
tartarus text mine vsm --text "$tables/texts" --set max_df=1.0
tartarus check-data mine

tartarus run rec_sparse tags --dataset mine --baselines
tartarus run rec_multi tags vsm --dataset mine
tartarus compare model_1 model_4 model_5
tartarus recommend model_1 --user "user 7" --top 5
tartarus recommend model_1
