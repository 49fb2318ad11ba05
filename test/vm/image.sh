# The guest of the VM tests, made once and kept in a cache: a Debian root file system with systemd, and a user-mode Linux
# kernel (a Linux that runs as an ordinary process, boots in seconds and needs no virtualisation). Sourced by run.sh with
# CACHE, SUITE, HERE and NODE set; sets IMAGE and KERNEL. Needs root and Debian's archive the first time only.

PACKAGES=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,uidmap,procps,util-linux,mount,iproute2,nftables,passt,slirp4netns,apparmor,kmod,udev,busybox-static,crun,gcc,libc6-dev

key() {
  {
    echo "$SUITE $PACKAGES"
    cat "$HERE/image.sh" "$HERE"/guest/*
    [ -z "$NODE" ] || stat -c '%n %s %Y' "$NODE"
  } | sha256sum | cut -c1-12
}
IMAGE=$CACHE/$SUITE-$(key)
KERNEL=$CACHE/kernel

# Install what this host lacks of Debian packages.
host_packages() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  [ "$(id -u)" = 0 ] || die "run once as root, which installs ${missing[*]}"
  apt-get -o DPkg::Lock::Timeout=600 -qq update || true
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -y -qq install --no-install-recommends \
    "${missing[@]}" </dev/null >/dev/null 2>&1 || die "cannot install ${missing[*]}"
}

# The archive that this host's apt uses.
archive() {
  echo "${PYCRI_VM_ARCHIVE:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v -- -security | head -1)}"
}

# fetch SUITE DIRECTORY PACKAGE...: the newest .deb of each. The host's own apt state stays untouched.
fetch() {
  local suite=$1 directory=$2 apt=$CACHE/apt-$1
  shift 2
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$directory"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(archive) $suite main" >"$apt/sources.list"
  local options=(-qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null -o Dir::State::Lists="$apt/lists"
    -o Dir::Cache="$apt/cache" -o Dir::State::status=/dev/null -o APT::Sandbox::User=root -o Acquire::Languages=none)
  apt-get "${options[@]}" update && (cd "$directory" && apt-get "${options[@]}" download "$@")
}

# sid's kernel has a seccomp mode and is several times faster than the ptrace mode of the stable suites'.
build_kernel() {
  local tmp suite
  tmp=$(mktemp -d "$CACHE/tmp.XXXXXX")
  for suite in sid trixie bookworm; do
    fetch "$suite" "$tmp/deb" user-mode-linux && fetch trixie "$tmp/deb" libc6 || continue
    dpkg-deb -x "$tmp"/deb/user-mode-linux_*.deb "$tmp/uml"
    dpkg-deb -x "$tmp"/deb/libc6_*.deb "$tmp/libc"
    # The kernel may need a newer libc than this host has, so it brings its own.
    mkdir -p "$tmp/kernel/lib"
    cp -L "$tmp"/libc/usr/lib/x86_64-linux-gnu/{ld-linux-x86-64.so.2,libc.so.6} "$tmp/kernel/lib/"
    cp "$tmp/uml/usr/bin/linux.uml" "$tmp/kernel/linux"
    patchelf --set-interpreter "$KERNEL/lib/ld-linux-x86-64.so.2" --set-rpath "$KERNEL/lib" "$tmp/kernel/linux"
    modules_disk "$tmp/uml/usr/lib/uml/modules" "$tmp/kernel"
    rm -rf "$KERNEL"
    mv "$tmp/kernel" "$KERNEL"
    "$KERNEL/linux" --version >"$KERNEL/version" && break
    rm -rf "$KERNEL" "$tmp"/*
  done
  rm -rf "$tmp"
  [ -x "$KERNEL/linux" ] || die "no user-mode Linux can be had from this host's Debian archive"
}

# modules_disk FROM TO: TO/modules.ext4 with the modules a container runtime may ask for.
modules_disk() {
  local version tree=$2/modules
  for version in "$1"/*; do
    version=${version##*/}
    mkdir -p "$tree/lib/modules/$version"
    cp "$1/$version"/modules.{order,builtin*} "$tree/lib/modules/$version/" 2>/dev/null || true
    (cd "$1/$version" && tar c $(ls -d kernel/net kernel/lib kernel/crypto kernel/drivers/block/loop.ko* \
      kernel/drivers/net/*.ko* kernel/fs/{overlayfs,fuse,netfs} 2>/dev/null)) | tar x -C "$tree/lib/modules/$version"
    depmod -b "$tree" "$version" 2>/dev/null || true
  done
  mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1 -m 0 -d "$tree/lib/modules" -F "$2/modules.ext4" 256M >/dev/null
  rm -rf "$tree"
}

# Units that cost boot time and serve nothing in a guest without hardware, network and a second boot.
MASKED=(getty@.service serial-getty@.service console-getty.service systemd-timesyncd.service apt-daily.timer
  apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
  systemd-tmpfiles-clean.timer systemd-binfmt.service systemd-random-seed.service systemd-firstboot.service
  systemd-journal-catalog-update.service systemd-update-done.service ldconfig.service systemd-pstore.service
  systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service
  systemd-udev-load-credentials.service systemd-hostnamed.socket apparmor.service networking.service nftables.service)

build_image() {
  local tmp root unit
  tmp=$(mktemp -d "$CACHE/tmp.XXXXXX")
  root=$tmp/root
  mmdebstrap --quiet --variant=minbase --mode=root --include="$PACKAGES" --dpkgopt=force-unsafe-io \
    --aptopt='Acquire::Languages none' --dpkgopt=path-exclude='/usr/share/man/*' \
    --dpkgopt=path-exclude='/usr/share/locale/*' --dpkgopt=path-exclude='/usr/share/doc/*' \
    "$SUITE" "$root" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(archive) $SUITE main" \
    >"$CACHE/build.log" 2>&1 || { tail -20 "$CACHE/build.log" >&2; die "mmdebstrap failed"; }
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
  [ -z "$NODE" ] || install -m 755 "$NODE" "$root/usr/local/bin/node"

  echo guest >"$root/etc/hostname"
  printf '127.0.0.1 localhost guest\n::1 localhost\n' >"$root/etc/hosts"
  : >"$root/etc/fstab"
  echo LANG=C.UTF-8 >"$root/etc/default/locale"
  echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
  mkdir -p "$root/etc/systemd/journald.conf.d" "$root/usr/lib/modules"
  printf '[Journal]\nStorage=volatile\n' >"$root/etc/systemd/journald.conf.d/volatile.conf"
  # `tester` lingers: its user manager runs without a login. `visitor` does not.
  chroot "$root" useradd -m -u 1000 -s /bin/bash tester
  chroot "$root" useradd -m -u 1001 -s /bin/bash visitor
  printf 'tester:100000:65536\nvisitor:165536:65536\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
  mkdir -p "$root/var/lib/systemd/linger"
  touch "$root/var/lib/systemd/linger/tester" "$root/etc/.updated" "$root/var/.updated"

  for unit in "${MASKED[@]}"; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
  install -D -m 755 "$HERE/guest/generator" "$root/etc/systemd/system-generators/pycri-vm"
  install -D -m 644 "$HERE/guest/run-job.service" "$root/etc/systemd/system/run-job.service"
  install -D -m 755 "$HERE/guest/run-job" "$root/usr/local/sbin/run-job"

  mkdir "$tmp/image"
  mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1 -m 0 -d "$root" -F "$tmp/image/root.ext4" 6G >/dev/null
  rm -rf "$IMAGE"
  mv "$tmp/image" "$IMAGE"
  rm -rf --one-file-system "$tmp"
}

# Make what the cache lacks, one builder at a time.
ensure_guest() {
  [ -f "$IMAGE/root.ext4" ] && [ -x "$KERNEL/linux" ] && return
  [ "$(uname -m)" = x86_64 ] || die "user-mode Linux exists for x86_64 only"
  mkdir -p "$CACHE"
  exec 9>"$CACHE/lock"
  flock 9
  host_packages patchelf kmod e2fsprogs mmdebstrap debian-archive-keyring
  [ -x "$KERNEL/linux" ] || build_kernel
  if [ ! -f "$IMAGE/root.ext4" ]; then
    # Images of earlier recipes are of no use any more.
    find "$CACHE" -maxdepth 1 -name "$SUITE-*" -exec rm -rf {} +
    build_image
  fi
  exec 9>&-
}
