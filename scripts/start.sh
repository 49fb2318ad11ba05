#!/bin/sh
# `npm start`: make pycri from a fresh clone and run one container, rootless, from the built-in view of the host's own
# files. What it prints is read from inside.
set -eu
cd "$(dirname "$0")/.."
. scripts/set-up.sh

check_node
# shellcheck disable=SC2086
[ -e build/complete ] || install_packages $build_needs || exit 1
# Without these the container has a single id; pycri says so itself when it runs.
install_packages newuidmap:uidmap || say "Going on without: the container will know one user only."
install_modules
build

exec node dist/pycri.cjs run --hostname pycri host /bin/sh -c '
  status() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
  echo "hostname      $(hostname)"
  echo "user          $(id)"
  echo "this shell    PID $$ of $(ls -d /proc/[0-9]* | wc -l) processes to be seen"
  echo "user ids      inside outside count"
  sed "s/^/             /" /proc/self/uid_map
  echo "capabilities  $(status CapEff) effective, $(status CapBnd) bounding"
  echo "no new privs  $(status NoNewPrivs)"
  echo "seccomp       mode $(status Seccomp), $(status Seccomp_filters) filter(s)"
  echo "interfaces    $(ls /sys/class/net | tr "\n" " ")"
  try() { what=$1; shift; if ("$@") >/dev/null 2>&1; then echo "$what allowed"; else echo "$what refused"; fi; }
  try "write to /usr" touch /usr/pycri-was-here
  try "unshare(2)   " unshare --user true
  try "mount(2)     " mount -t tmpfs none /tmp
'
