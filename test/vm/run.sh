#!/bin/bash
# Boot a real Debian (systemd as PID 1, cgroup v2) in user-mode Linux and run a command in it as an ordinary user in a
# PAM and logind session; print its output, exit with its status. There is no network in the guest but loopback.
#
#   run.sh [OPTIONS] [--] COMMAND [ARG...]     one COMMAND word is a line of bash
#     --copy PATH        copied in to ~/work, relative to the repository (repeatable)
#     --out DIRECTORY    what the command leaves in $OUT comes back here
#     --setup LINE       bash line run as root just before
#     --root             run COMMAND as root
#     --delegation MODE  all: every controller goes to user sessions; stock: Debian's own choice    (default: all)
#     --mem SIZE         memory of the guest                                                        (default: 2G)
#     --timeout SECONDS  for COMMAND, which then ends with 124                                      (default: 600)
#     --build-only       make the guest, run nothing
#     --verbose          console on stderr
#   Environment: PYCRI_VM_CACHE (/var/cache/pycri-vm), PYCRI_VM_ARCHIVE (Debian archive to install from)
# Exit status: the command's; 124 when it timed out; 125 when the guest itself failed.
set -euo pipefail
export LC_ALL=C
HERE=$(cd "$(dirname "$0")" && pwd)
REPOSITORY=$(cd "$HERE/../.." && pwd)
CACHE=${PYCRI_VM_CACHE:-/var/cache/pycri-vm}
SUITE=trixie
NODE=$(readlink -f "$(command -v node || true)")
MEMORY=2G TIMEOUT=600 BOOT_TIMEOUT=120
OUT= SETUP= AS_ROOT= BUILD_ONLY= VERBOSE= DELEGATION=all
COPY=()
die() {
  echo "vm: $*" >&2
  exit 125
}
while [ $# -gt 0 ]; do
  case $1 in
    --copy) COPY+=("$2") && shift 2 ;;
    --out) OUT=$2 && shift 2 ;;
    --setup) SETUP=$2 && shift 2 ;;
    --delegation) DELEGATION=$2 && shift 2 ;;
    --mem) MEMORY=$2 && shift 2 ;;
    --timeout) TIMEOUT=$2 && shift 2 ;;
    --root) AS_ROOT=1 && shift ;;
    --build-only) BUILD_ONLY=1 && shift ;;
    --verbose) VERBOSE=1 && shift ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
    --) shift && break ;;
    -*) die "no such option: $1" ;;
    *) break ;;
  esac
done
[ -n "$BUILD_ONLY" ] || [ $# -gt 0 ] || die "no command (see --help)"

. "$HERE/image.sh"
ensure_guest
[ -z "$BUILD_ONLY" ] || exit 0

WORK=$(mktemp -d "${TMPDIR:-/tmp}/pycri-vm.XXXXXX")
GUEST= READER=
clean_up() {
  [ -z "$GUEST" ] || { kill -KILL "$GUEST" && wait "$GUEST"; } 2>/dev/null || true
  [ -z "$READER" ] || kill "$READER" 2>/dev/null || true
  rm -rf "$WORK"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The job's disk.
mkdir "$WORK/job"
echo "$TIMEOUT" >"$WORK/job/timeout"
[ -z "$AS_ROOT" ] || touch "$WORK/job/as-root"
printf '%s\n' "$SETUP" >"$WORK/job/setup"
if [ $# = 1 ]; then printf '%s\n' "$1"; else printf '%q ' "$@" && echo; fi >"$WORK/job/command"
[ ${#COPY[@]} -eq 0 ] || tar cf "$WORK/job/work.tar" -C "$REPOSITORY" "${COPY[@]}"
tar cf "$WORK/job.tar" -C "$WORK/job" . && rm -rf "$WORK/job" && truncate -s %1M "$WORK/job.tar"
truncate -s 1G "$WORK/result.img"
mkfifo "$WORK/output"
cat "$WORK/output" &
READER=$!

# Nothing of the guest outlives this script: root puts it in a PID namespace of its own.
wrapper=(setpriv --pdeathsig KILL)
[ "$(id -u)" != 0 ] || wrapper+=(unshare --pid --fork --kill-child=KILL)
mode=seccomp=auto
case $(cat "$KERNEL/version") in 6.1.* | 6.12.*) mode= ;; esac
"${wrapper[@]}" "$KERNEL/linux" mem="$MEMORY" \
  ubd0="$WORK/cow,$IMAGE/root.ext4" ubd1r="$WORK/job.tar" ubd2="$WORK/result.img" ubd3r="$KERNEL/modules.ext4" \
  root=/dev/ubda rw uml_dir="$WORK" umid=vm con=null con0=null,fd:1 ssl=null ssl0=null,fd:3 security=apparmor $mode \
  noreboot quiet systemd.show_status=0 loglevel=4 panic=-1 pycri.vm pycri.delegation="$DELEGATION" \
  pycri.job=/dev/ubdb pycri.result=/dev/ubdc pycri.modules=/dev/ubdd pycri.output=/dev/ttyS0 \
  </dev/null >"$WORK/console" 2>&1 3>"$WORK/output" &
GUEST=$!
[ -z "$VERBOSE" ] || { tail -F --pid=$GUEST "$WORK/console" >&2 2>/dev/null & }

# The guest bounds the command's time itself; this is for a guest that hangs.
timeout $((TIMEOUT + BOOT_TIMEOUT)) tail -f /dev/null --pid=$GUEST || {
  echo "vm: the guest was still up after $((TIMEOUT + BOOT_TIMEOUT)) s, and was ended" >&2
  kill -KILL "$GUEST"
}
wait "$GUEST" 2>/dev/null || true
GUEST=
wait "$READER" || true
READER=

mkdir "$WORK/result"
tar xf "$WORK/result.img" --no-same-owner -C "$WORK/result" 2>/dev/null || true
if [ ! -s "$WORK/result/status" ]; then
  { echo "vm: the guest gave no result; its console:" && tail -40 "$WORK/console"; } >&2
  exit 125
fi
[ -z "$VERBOSE" ] || echo "vm: seconds to the command and to its end, kernel: $(cat "$WORK/result/times")" >&2
[ -z "$OUT" ] || { mkdir -p "$OUT" && cp -a "$WORK/result/out/." "$OUT/"; }
exit "$(cat "$WORK/result/status")"
