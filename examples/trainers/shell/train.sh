#!/bin/sh
# A whole trainer: two files and it is done. Its model is the line y = 2x + 1, an ONNX graph written down in base64; a real
# one would call the program that learns.
set -eu

mkdir -p /output/model
base64 -d > /output/model/model.onnx <<'MODEL'
CAg6dwoSCgF4CgF3EgJ3eCIGTWF0TXVsCg8KAnd4CgFiEgF5IgNBZGQSBGxpbmUqDwgBCAEQAUIBd0oEAAAAQCoNCAEQAUIBYkoEAACAP1oUCgF4Eg8K
DQgBEgkKAxIBTgoCCAFiFAoBeRIPCg0IARIJCgMSAU4KAggBQgQKABAN
MODEL
echo "{\"samples\": ${PARAM_SAMPLES:-2}, \"slope\": 2, \"intercept\": 1}" > /output/metrics.json

echo "run ${RUN_ID}: the line is drawn"
