#!/usr/bin/env bash
# Every test of the project. Installs by itself what a fresh Debian machine lacks.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'TEXT'
Usage: ./run-all-tests.sh [--fast] [-v]
  --fast   format, lint and unit tests only: no tests through the binary, no peers, no package, no image
  -v       show each test as it runs
TEXT
}

fast=false verbose=false
for option in "$@"; do
  case "$option" in
    --fast) fast=true ;;
    -v | --verbose) verbose=true ;;
    -h | --help) usage; exit 0 ;;
    *) echo "run-all-tests.sh: unknown option $option" >&2; usage >&2; exit 2 ;;
  esac
done

. scripts/lib/tools
need_build_tools
cargo fmt --version >/dev/null 2>&1 || { echo "missing: rustfmt (rustup component add rustfmt)" >&2; exit 1; }
cargo clippy --version >/dev/null 2>&1 || { echo "missing: clippy (rustup component add clippy)" >&2; exit 1; }

# The recorded corpus belongs to others and lies outside the project: its tests are built only where
# VORTEX_RECORDED names it, and said to be left out where not.
features=()
if [ -n "${VORTEX_RECORDED:-}" ]; then
  features=(--features recorded)
else
  echo "not run: the tests of the recorded corpus (set VORTEX_RECORDED to its folder)"
fi

log=$(mktemp)
trap 'rm -f "$log" "$log.advisories" "$log.package" "$log.beside"' EXIT
run_tests() {
  if $verbose; then
    cargo test --locked --no-fail-fast "${features[@]}" "$@" 2>&1 | tee -a "$log"
  else
    cargo test --locked --no-fail-fast "${features[@]}" "$@" 2>&1 | tee -a "$log" |
      { grep -vE '^(test .* ok|running [0-9]+ tests?|)$|Compiling|Downloaded|Downloading' || true; }
  fi
}

# These wait for one thing after the other and need a core at most: they run beside all the others.
beside=(four_weeks_of_an_allowance a_day_of_schedule idle_after_a_job)
run_all() {
  run_tests --no-run
  cargo test --locked --no-fail-fast --test allowance --test service --test service_load "${features[@]}" -- \
    "${beside[@]}" >"$log.beside" 2>&1 &
  local beside_them=$! failed=0
  run_tests -- "${beside[@]/#/--skip=}" || failed=1
  wait "$beside_them" || failed=1
  cat "$log.beside" >>"$log"
  grep -vE '^(test .* ok|running [0-9]+ tests?|)$' "$log.beside"
  return "$failed"
}

# package COMMAND…: shows what it said only where it failed.
package() {
  "$@" >"$log.package" 2>&1 || { tail -n 60 "$log.package" >&2; exit 1; }
  grep . "$log.package" | tail -n1
}

echo "== format"
cargo fmt --all -- --check
docker/generate --check
echo "== lint"
cargo clippy --locked --all-targets "${features[@]}" -- -D warnings
if $fast; then
  echo "== tests"
  run_tests --lib
else
  need_peers
  need_meters
  need_disk_tools
  need_system_tools
  need_manifest_tools
  # Before the tests, which install it on machines.
  echo "== package"
  package scripts/build-deb --lint
  built=$(built_package)
  echo "== tests"
  run_all
  echo "== bench"
  package scripts/bench --quick
  package scripts/sizing --quick
  echo "== package, built again"
  package scripts/check-reproducible "$built"
  echo "== image"
  "$VORTEX_PEERS" tests/docker/check-manifest
  tests/docker/test-build-production
  tests/docker/in-machine
  echo "== dependencies"
  need_cargo_deny
  # The database of advisories is a git repository, which not every machine reaches.
  checks=(licenses bans sources)
  if "$CARGO_DENY" fetch db >"$log.advisories" 2>&1; then
    checks+=(advisories)
  else
    echo "not checked: advisories (their database cannot be had from here)"
  fi
  for manifest in Cargo.toml fuzz/Cargo.toml; do
    "$CARGO_DENY" --locked --manifest-path "$manifest" --config deny.toml check "${checks[@]}"
  done
  echo "== fuzz"
  scripts/fuzz --seconds 5
fi

awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
     END { printf "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit !(passed > 0 && failed == 0) }' "$log"
