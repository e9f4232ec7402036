#!/usr/bin/env bash
# Prints the bin directory of a Node that runs TypeScript natively (24 or newer), for `export PATH := $(shell …):$(PATH)`.
# The machine's own Node is used when it is new enough; else the Node binary that npm publishes as a package is unpacked
# into the cache once. Nothing but the directory goes to stdout. With --packaged it is always npm's, for images.
set -euo pipefail

wanted_major=24
version=24.21.0

major_of() { "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }

own=$(command -v node || true)
if [ "${1:-}" != --packaged ] && [ -n "$own" ] && [ "$(major_of "$own")" -ge "$wanted_major" ]; then
  dirname "$own"
  exit 0
fi

root="${SLIPWAY_CACHE:-$HOME/.cache/slipway}"
home="$root/node-$version"
if [ -x "$home/bin/node" ] && [ -x "$home/bin/npm" ] && [ -x "$home/bin/npx" ]; then
  echo "$home/bin"
  exit 0
fi

fail() {
  echo "bootstrap-node: $*" >&2
  exit 1
}

[ "$(uname -s)" = Linux ] || fail "Node $wanted_major or newer is needed; install it from https://nodejs.org"
case "$(uname -m)" in
  x86_64) arch=x64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fail "Node $wanted_major or newer is needed, and none is packaged for $(uname -m)" ;;
esac
command -v npm >/dev/null || fail "Node $wanted_major or newer is needed (or an npm, whatever its version, to fetch one)"

mkdir -p "$root"
work=$(mktemp -d "$root/.node-XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "bootstrap-node: unpacking Node $version into $home" >&2
(cd "$work" && npm pack --silent "node-linux-$arch@$version" >&2 && tar -xzf node-linux-*.tgz) ||
  fail "npm could not fetch node-linux-$arch@$version"
mkdir -p "$work/node/bin"
cp "$work/package/bin/node" "$work/node/bin/node"
chmod 755 "$work/node/bin/node"

# The package holds the bare binary. These run the machine's npm under it, looked up at each start because the machine's
# npm may be upgraded or moved after the cache was filled.
for tool in npm npx; do
  cat >"$work/node/bin/$tool" <<'WRAPPER'
#!/usr/bin/env bash
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
tool=$(basename "$0")
IFS=: read -ra directories <<<"$PATH"
for directory in "${directories[@]}"; do
  candidate=$(readlink -f "$directory/npm" 2>/dev/null) || continue
  case "$candidate" in
    "$here"/*) continue ;;
    *.js) exec "$here/node" "$(dirname "$candidate")/$tool-cli.js" "$@" ;;
  esac
done
echo "$tool: no npm of this machine is on PATH" >&2
exit 127
WRAPPER
  chmod 755 "$work/node/bin/$tool"
done

# A rename is all or nothing: of two concurrent runs one wins, and the loser's copy is as good.
rm -rf "$home.old"
if [ -e "$home" ]; then mv "$home" "$home.old" 2>/dev/null || true; fi
mv -T "$work/node" "$home" 2>/dev/null || [ -x "$home/bin/npx" ] || fail "cannot write $home"
rm -rf "$home.old"
echo "$home/bin"
