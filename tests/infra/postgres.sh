#!/usr/bin/env bash
# A private PostgreSQL on this machine, on the loopback interface only. Nothing survives `wipe`. For Debian and Ubuntu.
#
#   postgres.sh install   install the package, without its default cluster
#   postgres.sh start     make the cluster where there is none, start it, and create an empty database
#   postgres.sh url       print the address of that database
#   postgres.sh wipe      stop, and delete everything
set -euo pipefail

HOME_DIR=${DARWIN_POSTGRES_HOME:-${TMPDIR:-/tmp}/darwin-postgres}
PORT=${DARWIN_POSTGRES_PORT:-15442}
DATABASE=${DARWIN_POSTGRES_DATABASE:-airflow}
ROLE=airflow
PASSWORD=airflow-on-loopback
unset PGDATA PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD

say() { echo "postgres.sh: $*" >&2; }

# Debian keeps the server's programs out of PATH.
program() {
  local found
  found=$(ls -d /usr/lib/postgresql/*/bin/"$1" 2>/dev/null | sort -V | tail -n 1)
  [[ -n $found ]] || found=$(command -v "$1") || { say "$1 is not installed: run postgres.sh install"; return 1; }
  echo "$found"
}

# The server refuses to run as root.
as_owner() {
  if [[ $(id -u) -eq 0 ]]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

sql() { as_owner "$(program psql)" -qAt -h "$HOME_DIR/socket" -p "$PORT" -U postgres -d postgres -v ON_ERROR_STOP=1 -c "$1"; }

install_packages() {
  [[ ! -d /usr/lib/postgresql ]] || return 0
  mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/none.conf
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql
}

make_cluster() {
  mkdir -p "$HOME_DIR/socket"
  chmod 700 "$HOME_DIR"
  [[ $(id -u) -ne 0 ]] || chown -R postgres "$HOME_DIR"
  as_owner "$(program initdb)" -D "$HOME_DIR/data" -U postgres --auth-local=trust --auth-host=scram-sha-256 \
    -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
  # The socket lies in a folder of mode 700, hence trust. What the tests write is not worth a disk's flush. A scheduler that
  # is killed amid a transaction leaves children that hold its connection open, and with it the lock on the pools.
  as_owner tee -a "$HOME_DIR/data/postgresql.conf" >/dev/null <<EOF
listen_addresses = '127.0.0.1'
port = $PORT
unix_socket_directories = '$HOME_DIR/socket'
max_connections = 100
dynamic_shared_memory_type = posix
fsync = off
synchronous_commit = off
full_page_writes = off
idle_in_transaction_session_timeout = 30s
EOF
}

control() { as_owner "$(program pg_ctl)" -D "$HOME_DIR/data" "$@"; }

start() {
  [[ -s $HOME_DIR/data/PG_VERSION ]] || make_cluster
  control status >/dev/null 2>&1 || control -l "$HOME_DIR/log" -w -t 120 start >/dev/null || {
    tail -n 20 "$HOME_DIR/log" >&2
    return 1
  }
  [[ $(sql "select 1 from pg_roles where rolname = '$ROLE'") == 1 ]] || sql "create role $ROLE login password '$PASSWORD'"
  sql "drop database if exists $DATABASE with (force)"
  sql "create database $DATABASE owner $ROLE"
}

case ${1:-} in
  install) install_packages ;;
  start) start ;;
  url) echo "postgresql+psycopg2://$ROLE:$PASSWORD@127.0.0.1:$PORT/$DATABASE" ;;
  wipe)
    [[ ! -s $HOME_DIR/data/PG_VERSION ]] || control -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$HOME_DIR"
    ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
