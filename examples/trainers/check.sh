#!/bin/sh
# Tries a trainer image out without a cluster: runs it as a TrainingJob's pod would, then reads what it left with the code
# that publishes it, and prints every rule of the contract. Needs Docker and the image slipway/trainer.
set -eu

usage() {
  cat >&2 <<'USAGE'
usage: check.sh [-d FOLDER] [-p NAME=VALUE]… [-e PROGRAM] IMAGE [ARGS…]
  -d FOLDER      its files become the inputs, by name; without it /input/train is the iris data set
  -p NAME=VALUE  a parameter: PARAM_<NAME> and /input/params.json
  -e PROGRAM     instead of the image's entry point, as spec.container.command does
  IMAGE [ARGS…]  the trainer; placeholders like {{params.x}} are not filled here
USAGE
  exit 2
}

kit="${SLIPWAY_TRAINER_IMAGE:-slipway/trainer:dev}"
data=''
program=''
parameters='' # newline-separated
while getopts d:p:e: option; do
  case "$option" in
    d) data=$(cd "$OPTARG" && pwd) ;;
    e) program="$OPTARG" ;;
    p) parameters="$parameters$OPTARG
" ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage
[ -z "$program" ] || set -- --entrypoint "$program" "$@"

folder=$(mktemp -d)
input=$(docker volume create)
output=$(docker volume create)
trap 'rm -rf "$folder"; docker volume rm -f "$input" "$output" >/dev/null' EXIT
trap 'exit 130' INT TERM

prepare() (
  set -f
  IFS='
'
  # shellcheck disable=SC2086 # cut at newlines, on purpose
  set -- "$kit" kit prepare $parameters
  [ -z "$data" ] || set -- -v "$data:/data:ro" "$@"
  docker run --rm --user 0 --network none -v "$input:/input" -v "$output:/output" "$@"
)
prepare > "$folder/environment"

# The pod's restrictions: its user, nothing but /tmp and /output to write to, no capability; here no network either.
code=0
docker run --rm --user 65532:65532 --read-only --tmpfs /tmp:exec,mode=1777,size=2g --cap-drop ALL \
  --security-opt no-new-privileges --memory 2g --network none --env-file "$folder/environment" \
  -v "$input:/input:ro" -v "$output:/output" "$@" || code=$?
[ "$code" -ne 125 ] || exit 125 # docker could not run the image and has said why

echo
docker run --rm --network none -v "$input:/input:ro" -v "$output:/output:ro" "$kit" kit check "$code"
