#!/bin/sh
# `npm test [-- FILE…]`: make pycri and run its tests. As root it installs the Debian packages they use and the kernel
# tests act as an unprivileged user; as an ordinary user they act as that user, and what cannot run says why.
set -eu
cd "$(dirname "$0")/.."
. scripts/set-up.sh

check_node
# shellcheck disable=SC2086
[ -e build/complete ] || install_packages $build_needs || exit 1
install_packages newuidmap:uidmap busybox:busybox-static mmdebstrap:mmdebstrap fuse-overlayfs:fuse-overlayfs gcc:gcc crun:crun runc:runc \
  /usr/include/seccomp.h:libseccomp-dev \
  docker-registry:docker-registry htpasswd:apache2-utils openssl:openssl curl:curl zstd:zstd getfattr:attr \
  podman:podman skopeo:skopeo umoci:umoci /usr/share/containers/seccomp.json:golang-github-containers-common \
  zsh:zsh fish:fish mandoc:mandoc groff:groff-base ||
  say "Going on without: the tests that need them are skipped, and say so."
install_modules
build
exec node scripts/run-tests.mjs "$@"
