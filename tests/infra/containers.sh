#!/usr/bin/env bash
# Containers on this machine, without any registry: podman, a base image made from Debian's packages, Darwin's image on
# it, and podman's Docker-compatible socket. For Debian and Ubuntu, as root.
#
#   containers.sh install   install the packages
#   containers.sh probe     exit code 0 when a container runs here
#   containers.sh image     build the base image and Darwin's image, where they are missing or the sources changed
#   containers.sh start     answer on the socket
#   containers.sh env       print the variables of a client
#   containers.sh status    exit code 0 when the socket answers
#   containers.sh stop      stop answering
#   containers.sh wipe      stop, and delete images and state
set -euo pipefail

REPOSITORY=$(cd "$(dirname "$0")/../.." && pwd)
HOME_DIR=${DARWIN_CONTAINERS_HOME:-${TMPDIR:-/tmp}/darwin-containers}
SOCKET=$HOME_DIR/podman.sock
BASE_IMAGE=localhost/darwin-base:bookworm
IMAGE=darwin-mlops:$(sed -n 's/^__version__.*"\(.*\)"$/\1/p' "$REPOSITORY/darwin_core/__init__.py")
CERTIFICATES=/etc/ssl/certs/ca-certificates.crt
export CONTAINERS_CONF=$HOME_DIR/containers.conf

say() { echo "containers.sh: $*" >&2; }
answers() { [[ -S $SOCKET ]] && curl --silent --fail --max-time 5 --unix-socket "$SOCKET" http://d/_ping >/dev/null; }

install() {
  local missing=()
  for program in podman runc catatonit mmdebstrap curl; do
    command -v $program >/dev/null || [[ -x /usr/libexec/podman/$program ]] || dpkg -s $program >/dev/null 2>&1 ||
      missing+=("$program")
  done
  if ((${#missing[@]})); then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 \
      "${missing[@]}" >/dev/null
  fi
  write_conf
  podman --version
}

# Limits: podman asks for more than a root without CAP_SYS_RESOURCE may have. Volumes: inside a build, pip has to find
# packages the way it does here, and to trust whom this machine trusts.
write_conf() {
  local files processes volumes folder
  mkdir -p "$HOME_DIR"
  files=$(ulimit -Hn) processes=$(ulimit -Hu)
  [[ $files == unlimited ]] && files=1048576
  [[ $processes == unlimited || $processes -gt 32768 ]] && processes=32768
  volumes="\"$CERTIFICATES:$CERTIFICATES:ro\", \"$HOME_DIR/pip.conf:/etc/pip.conf:ro\""
  {
    echo '[global]'
    echo "cert = $CERTIFICATES"
    python3 -m pip config list 2>/dev/null | sed -n "s/^global\.\([a-z-]*\)='\(.*\)'$/\1 = \2/p" | grep -v '^cert = ' || true
  } >"$HOME_DIR/pip.conf"
  for folder in $(grep -oE '(file://)?/[^ ]+' "$HOME_DIR/pip.conf" | sed 's#^file://##; s#/simple$##' | sort -u); do
    [[ $folder == "$CERTIFICATES" || ! -e $folder ]] || volumes="$volumes, \"$folder:$folder:ro\""
  done
  cat >"$CONTAINERS_CONF" <<CONF_END
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
netns = "host"
volumes = [$volumes]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF_END
}

base() {
  podman image exists "$BASE_IMAGE" && return
  local work
  work=$(mktemp -d "$HOME_DIR/base.XXXXXX")
  # The system's own Python and tools: what somebody put before them on the path would be started for every package.
  PATH=/usr/sbin:/usr/bin:/sbin:/bin mmdebstrap --quiet --variant=minbase --mode=root \
    --include=python3,python3-venv,ca-certificates \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    bookworm "$work/root.tar"
  podman import --quiet --change 'ENV LANG=C.UTF-8' --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' \
    "$work/root.tar" "$BASE_IMAGE" >/dev/null
  rm -rf "$work"
}

# Whether containers run here at all: the base image, and a command on it.
probe() {
  write_conf
  base
  podman run --rm --network none "$BASE_IMAGE" true
}

image() {
  write_conf
  base
  # Layers whose sources did not change come from podman's cache.
  make --no-print-directory -C "$REPOSITORY" image CONTAINER_TOOL=podman BASE_IMAGE="$BASE_IMAGE"
  podman image inspect --format "$IMAGE, {{.Size}} bytes" "$IMAGE"
}

start() {
  answers && return
  write_conf
  rm -f "$SOCKET"
  setsid nohup podman system service --time=0 "unix://$SOCKET" >"$HOME_DIR/service.out" 2>&1 </dev/null &
  echo $! >"$HOME_DIR/service.pid"
  for _ in $(seq 150); do
    answers && return
    sleep 0.1
  done
  say "podman's socket did not come up; its last words:"
  tail -n 20 "$HOME_DIR/service.out" >&2
  return 1
}

stop() {
  local pid
  pid=$(cat "$HOME_DIR/service.pid" 2>/dev/null) || return 0
  [[ $(cat "/proc/$pid/comm" 2>/dev/null) == podman ]] && kill "$pid"
  rm -f "$HOME_DIR/service.pid" "$SOCKET"
}

wipe() {
  stop
  podman image rm --force "$IMAGE" "$BASE_IMAGE" >/dev/null 2>&1 || true
  rm -rf "$HOME_DIR"
}

case ${1:-} in
install) install ;;
image) image ;;
probe) probe ;;
start) start ;;
stop) stop ;;
status) answers ;;
wipe) wipe ;;
env)
  echo "CONTAINERS_CONF=$CONTAINERS_CONF"
  echo "DOCKER_HOST=unix://$SOCKET"
  ;;
*)
  say "expected one of install, probe, image, start, env, status, stop, wipe"
  exit 2
  ;;
esac
