#!/bin/bash
# PostgreSQL for development. The first start makes the data folder from POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB,
# as the official image does. It runs as any user and with a read-only root: only PGDATA's parent and /tmp (or
# /var/run/postgresql) must be writable. The log says "ready to accept connections" once, when it is true.
set -euo pipefail

fail() {
  echo "dev-postgres: $*" >&2
  exit 1
}

# PostgreSQL wants its user to have a name. Who has none gets one, in a copy of the files that all lookups are led to.
if ! getent passwd "$(id -u)" >/dev/null; then
  names=$(mktemp -d /tmp/names-XXXXXX) || fail "user $(id -u) has no name here, and /tmp is not writable to give it one"
  echo "dev:x:$(id -u):$(id -g):development:/tmp:/bin/sh" >"$names/passwd"
  echo "dev:x:$(id -g):" >"$names/group"
  export NSS_WRAPPER_PASSWD="$names/passwd" NSS_WRAPPER_GROUP="$names/group"
  export LD_PRELOAD=libnss_wrapper.so
fi

if [ "${1:-postgres}" != postgres ] && [ "${1#-}" = "${1:-}" ]; then exec "$@"; fi
if [ "${1:-}" = postgres ]; then shift; fi

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

initialise() {
  [ -n "${POSTGRES_PASSWORD:-}" ] || fail "POSTGRES_PASSWORD must be set for the first start"
  local parent new
  parent=$(dirname "$PGDATA")
  mkdir -p "$parent" 2>/dev/null || true
  # The folder gets its name when it is complete: a first start that was cut short is done again from the beginning.
  rm -rf "$parent"/.initialising-*
  new=$(mktemp -d "$parent/.initialising-XXXXXX") || fail "$parent is not writable by user $(id -u)"
  initdb --pgdata="$new" --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --encoding=UTF8 \
    --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 --no-instructions --no-sync ${POSTGRES_INITDB_ARGS:-}
  printf 'host all all all scram-sha-256\n' >>"$new/pg_hba.conf"
  if [ "$database" != postgres ]; then
    # A single-user server opens no socket, so nobody can take it for the real one.
    printf 'CREATE DATABASE "%s"\n' "${database//\"/\"\"}" | postgres --single -D "$new" -j postgres >/dev/null
  fi
  if [ -d "$PGDATA" ]; then
    rmdir "$PGDATA" || fail "PGDATA ($PGDATA) must be a folder below the volume, not the volume itself"
  fi
  mv "$new" "$PGDATA"
}

[ -s "$PGDATA/PG_VERSION" ] || initialise

sockets=
for folder in "${POSTGRES_SOCKET_DIR:-/var/run/postgresql}" /tmp; do
  if [ -d "$folder" ] && [ -w "$folder" ]; then sockets="${sockets:+$sockets,}$folder"; fi
done

exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories="$sockets" "$@"
