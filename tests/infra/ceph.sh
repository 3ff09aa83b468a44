#!/usr/bin/env bash
# A real S3 server on this machine: Ceph's RADOS gateway over one monitor and one in-memory object store, all on the
# loopback interface. For Debian and Ubuntu, as root; nothing survives `wipe`.
#
#   ceph.sh install   install the packages
#   ceph.sh start     start what is not running; says where it listens
#   ceph.sh env       print the variables of a client
#   ceph.sh status    exit code 0 when all three daemons run
#   ceph.sh stop      stop the daemons
#   ceph.sh wipe      stop, and delete everything
set -euo pipefail

HOME_DIR=${DARWIN_CEPH_HOME:-${TMPDIR:-/tmp}/darwin-ceph}
S3_PORT=${DARWIN_CEPH_S3_PORT:-17480}
MON_PORT=${DARWIN_CEPH_MON_PORT:-13300}
ACCESS_KEY=darwin-ceph-access
SECRET_KEY=darwin-ceph-secret-of-forty-characters-xx
CONF=$HOME_DIR/ceph.conf

say() { echo "ceph.sh: $*" >&2; }

# A daemon runs when the process of its pid file exists under the right name and is no zombie.
runs() {
  local pid
  pid=$(cat "$HOME_DIR/$1.pid" 2>/dev/null) || return 1
  [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$1" ]] && ! grep -q '^State:\s*Z' "/proc/$pid/status"
}

launch() {
  local name=$1
  shift
  setsid nohup "$@" >"$HOME_DIR/$name.out" 2>&1 </dev/null &
  echo $! >"$HOME_DIR/$name.pid"
}

eventually() {
  local name=$1 seconds=$2
  shift 2
  local end=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS > end)); then
      say "$name did not come up within $seconds s; its last words:"
      tail -n 20 "$HOME_DIR/$name.out" >&2 || true
      return 1
    fi
    sleep 0.1
  done
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
osd_is_up() { timeout 20 ceph --conf "$CONF" osd stat | grep -q '1 up'; }
gateway_answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$S3_PORT" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3 | grep -q ' 200 ') 2>/dev/null
}
new_uuid() { cat /proc/sys/kernel/random/uuid; }

# One copy of everything. No authentication between the daemons, which are reachable from this machine only; without
# its keys their connections cannot be encrypted, hence the crc modes.
write_conf() {
  local fsid
  fsid=$(cat "$HOME_DIR/fsid")
  cat >"$CONF" <<CONF_END
[global]
fsid = $fsid
mon_host = v2:127.0.0.1:$MON_PORT
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
ms_mon_client_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
ms_cluster_mode = crc
ms_service_mode = crc
ms_client_mode = crc
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = $HOME_DIR
admin_socket = $HOME_DIR/\$name.asok
log_file = $HOME_DIR/\$name.log
mon_cluster_log_file = $HOME_DIR/cluster.log
crash_dir = $HOME_DIR/crash
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
mon_data_avail_warn = 2
mon_data_avail_crit = 1
[mon]
mon_data = $HOME_DIR/mon
auth_allow_insecure_global_id_reclaim = false
[osd]
osd_data = $HOME_DIR/osd
osd_objectstore = memstore
memstore_device_bytes = $((2 << 30))
osd_op_num_shards = 2
osd_op_num_threads_per_shard = 1
[client]
rgw_frontends = beast endpoint=127.0.0.1:$S3_PORT tcp_nodelay=1
rgw_thread_pool_size = 32
rgw_dynamic_resharding = false
rgw_override_bucket_index_max_shards = 1
rgw_s3_auth_order = local
CONF_END
}

install() {
  if ! command -v radosgw >/dev/null || ! command -v ceph-osd >/dev/null || ! command -v ceph-mon >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 \
      radosgw ceph-mon ceph-osd >/dev/null
  fi
  radosgw --version
}

start() {
  # The object store lives in memory, so after its process has gone the rest of the cluster describes nothing.
  runs ceph-osd || wipe
  mkdir -p "$HOME_DIR"/{mon,osd,crash}
  chmod 700 "$HOME_DIR"
  [[ -s $HOME_DIR/fsid ]] || new_uuid >"$HOME_DIR/fsid"
  write_conf
  if ! runs ceph-mon; then
    if [[ ! -d $HOME_DIR/mon/store.db ]]; then
      monmaptool --create --clobber --addv a "[v2:127.0.0.1:$MON_PORT]" --fsid "$(cat "$HOME_DIR/fsid")" \
        "$HOME_DIR/monmap" >/dev/null
      ceph-mon --conf "$CONF" --mkfs -i a --monmap "$HOME_DIR/monmap"
    fi
    launch ceph-mon ceph-mon --conf "$CONF" -f -i a
    eventually ceph-mon 60 listens "$MON_PORT"
  fi
  if ! runs ceph-osd; then
    local osd_id
    osd_id=$(new_uuid)
    timeout 60 ceph --conf "$CONF" osd new "$osd_id" 0 >/dev/null
    ceph-osd --conf "$CONF" -i 0 --mkfs --osd-uuid "$osd_id" >"$HOME_DIR/mkfs.out" 2>&1
    launch ceph-osd ceph-osd --conf "$CONF" -f -i 0
    eventually ceph-osd 90 osd_is_up
  fi
  if ! runs radosgw; then
    launch radosgw radosgw --conf "$CONF" -f -n client.rgw
    eventually radosgw 120 gateway_answers
  fi
  if [[ ! -s $HOME_DIR/user.json ]]; then
    timeout 90 radosgw-admin --conf "$CONF" user create --uid=darwin --display-name=darwin \
      --access-key="$ACCESS_KEY" --secret="$SECRET_KEY" >"$HOME_DIR/user.new" 2>"$HOME_DIR/user.out"
    mv "$HOME_DIR/user.new" "$HOME_DIR/user.json"
  fi
  say "S3 at http://127.0.0.1:$S3_PORT"
}

client_env() {
  echo "AWS_ENDPOINT_URL=http://127.0.0.1:$S3_PORT"
  echo "AWS_ACCESS_KEY_ID=$ACCESS_KEY"
  echo "AWS_SECRET_ACCESS_KEY=$SECRET_KEY"
  # This gateway answers 400 to checksums in trailers, which newer clients send by default.
  echo "AWS_REQUEST_CHECKSUM_CALCULATION=when_required"
}

stop() {
  local name pid
  for name in radosgw ceph-osd ceph-mon; do
    if runs "$name"; then
      pid=$(cat "$HOME_DIR/$name.pid")
      kill "$pid"
      for _ in $(seq 100); do
        runs "$name" || break
        sleep 0.1
      done
      if runs "$name"; then kill -9 "$pid"; fi
    fi
    rm -f "$HOME_DIR/$name.pid"
  done
}

status() {
  local name code=0
  for name in ceph-mon ceph-osd radosgw; do
    if runs "$name"; then echo "$name runs"; else
      echo "$name is stopped"
      code=3
    fi
  done
  return $code
}

wipe() {
  stop
  rm -rf "$HOME_DIR"
}

case ${1:-} in
install) install ;;
start) start ;;
stop) stop ;;
status) status ;;
wipe) wipe ;;
env) client_env ;;
*)
  say "expected one of install, start, env, status, stop, wipe"
  exit 2
  ;;
esac
