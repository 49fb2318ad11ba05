# What `npm start` and `npm test` have in common: the system packages, the npm packages and the build, each only when it
# is missing or out of date. Sourced, with the repository as working directory; POSIX sh.

say() { printf '%s\n' "$*" >&2; }
fail() { say "pycri: $*"; exit 1; }

# The Debian packages behind what the machine lacks, among the ones named: `tool:package`, `/file:package` or
# `@probe:package`.
missing_packages() {
  for need in "$@"; do
    tool=${need%%:*}
    case $tool in
      @static-libc)
        # The helper is linked statically, so headers and archive are both needed; linking a program proves them.
        command -v gcc >/dev/null 2>&1 &&
          printf 'int main(void){return 0;}\n' | gcc -static -x c -o /dev/null - 2>/dev/null && continue ;;
      /*) [ -e "$tool" ] && continue ;;
      *) PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null 2>&1 && continue ;;
    esac
    printf '%s ' "${need#*:}"
  done
}

# install_packages NEED… : as root installs what is missing; otherwise prints one line that does.
# Returns 1 when something is missing still.
install_packages() {
  lacking=$(missing_packages "$@")
  [ -n "$lacking" ] || return 0
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "Installing ${lacking% }"
    # shellcheck disable=SC2086
    if ! log=$({ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      -o DPkg::Lock::Timeout=600 $lacking; } </dev/null 2>&1); then
      say "$log"
    fi
    lacking=$(missing_packages "$@")
    [ -n "$lacking" ] || return 0
  fi
  say "Missing: ${lacking% }. As root:"
  say "  apt-get install -y --no-install-recommends ${lacking% }"
  return 1
}

check_node() {
  command -v node >/dev/null 2>&1 || fail "Node.js 20.19 or newer is needed, and there is no node in PATH"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node.js 20.19 or newer is needed; this is $(node --version)"
}

install_modules() {
  # npm writes the hidden lock file last, so that an interrupted installation is begun anew.
  if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "Installing npm packages"
    log=$(npm ci --ignore-scripts --no-audit --no-fund </dev/null 2>&1) || { say "$log"; fail "npm ci failed"; }
    touch node_modules/.package-lock.json
  fi
}

build() {
  if [ -e build/complete ] && [ -e dist/pycri.cjs ]; then
    # A directory's time tells of removed files. What the build generates is newer than its begin.
    newer=$(find src scripts native wasm profiles test bench package-lock.json tsconfig.json \
      -name generated -prune -o -newer build/complete -print | head -n 1)
    [ -n "$newer" ] || return 0
  fi
  say "Building"
  # The time of the begin: what changes meanwhile is built the next time.
  { mkdir -p build && touch build/begun; } 2>/dev/null || fail "$(pwd) cannot be written to: build as the user who owns it"
  node scripts/build.mjs >&2 || fail "the build failed"
  mv build/begun build/complete
}

# A build needs these; a run needs no more than uidmap, and can do with less.
build_needs="gcc:gcc @static-libc:libc6-dev"
