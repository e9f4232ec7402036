#!/bin/sh
# The same server without Python: what iris.py logged, read by curl.
#   MLFLOW_TRACKING_URI=http://127.0.0.1:5000 sh rest.sh
set -eu
api="${MLFLOW_TRACKING_URI:?the address of the registry}/api/2.0/mlflow"

experiment=$(curl -sSf "$api/experiments/get-by-name?experiment_name=iris" | tr -d '\n' |
  sed 's/.*"experiment_id": *"\([^"]*\)".*/\1/')

# The experiments there are
curl -sSf -X POST "$api/experiments/search" -H 'Content-Type: application/json' \
  -d '{"max_results": 10, "filter": "name = '"'iris'"'"}'
echo

# The best run
found=$(curl -sSf -X POST "$api/runs/search" -H 'Content-Type: application/json' \
  -d '{"experiment_ids": ["'"$experiment"'"], "filter": "metrics.accuracy > 0.9 and params.max_iter = '"'200'"'", "order_by": ["metrics.accuracy DESC"], "max_results": 1}')
echo "$found"

# That run by its id
run=$(echo "$found" | tr ',' '\n' | sed -n 's/.*"run_id": *"\([^"]*\)".*/\1/p' | head -n 1)
curl -sSf "$api/runs/get?run_id=$run"
echo
