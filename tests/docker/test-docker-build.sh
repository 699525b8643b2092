#!/usr/bin/env bash
# The image and all around it, by rootless Podman, or by Docker where its engine answers.
set -uo pipefail
cd "$(dirname "$0")/../.."

usage() {
  cat <<'TEXT'
Usage: tests/docker/test-docker-build.sh [OPTIONS] [NUMBERS…]
  --quiet            say only what failed, and the sum
  -v, --verbose      show what each test prints
  -l, --list         list the tests
  --skip-build       take the image that is there (VORTEX_IMAGE, else localhost/vortex:test)
  --keep-data        keep the folders of the tests
  --keep-containers  keep the containers

Needs the package of this version in dist (scripts/build-deb) and the provider server of the tests
(cargo build --example yahoo-server, or VORTEX_YAHOO_SERVER). Exit code 1 where a test failed.
TEXT
}

IMAGE=${VORTEX_IMAGE:-localhost/vortex:test}
BASE=docker.io/library/debian:trixie-slim
YAHOO=${VORTEX_YAHOO_SERVER:-$PWD/target/debug/examples/yahoo-server}
quiet=false verbose=false build=true keep_data=false keep_containers=false list=false numbers=()
for option in "$@"; do
  case "$option" in
    --quiet) quiet=true ;;
    -v | --verbose) verbose=true ;;
    -l | --list) list=true ;;
    --skip-build) build=false ;;
    --keep-data) keep_data=true ;;
    --keep-containers) keep_containers=true ;;
    -h | --help) usage; exit 0 ;;
    [1-9] | [1-9][0-9]) numbers+=("$option") ;;
    *) echo "test-docker-build: unknown option $option" >&2; usage >&2; exit 2 ;;
  esac
done

TESTS=(
  "build" "image details" "basic start" "help" "providers" "environment variables" "volumes and ownership"
  "start-up dry run" "compose file valid" "download dry run" "download with data validation" "schedule set up"
  "schedule executes" "compose download with data validation" "several periods at once"
  "read-only root and no capabilities" "signals and exit codes" "health of a frozen service"
  "binary of the package" "Quadlet keeps its schedule" "secrets from files" "restart loses nothing"
  "mounted configuration stays as it is" "the page on deployment" "environments as they are"
)
[ ${#numbers[@]} -gt 0 ] || mapfile -t numbers < <(seq ${#TESTS[@]})
for number in "${numbers[@]}"; do
  [ "$number" -le ${#TESTS[@]} ] || { echo "there is no test $number: they are 1 to ${#TESTS[@]}" >&2; exit 2; }
done
if $list; then
  for number in "${numbers[@]}"; do echo "$number ${TESTS[number - 1]}"; done
  exit 0
fi

. scripts/lib/tools
engine=$(engine)
command -v "$engine" >/dev/null || { echo "missing: podman (or a Docker engine that answers)" >&2; exit 1; }
deb=$(built_package) || exit 1
[ -x "$YAHOO" ] || { echo "missing: $YAHOO (cargo build --example yahoo-server)" >&2; exit 1; }
version=$(version)
work=$(mktemp -d)
trap clean EXIT

clean() {
  if ! $keep_containers; then
    "$engine" ps -aq --filter label=vortex-test | xargs -r "$engine" rm -f -v -t 0 >/dev/null 2>&1
  fi
  # Files of a container may belong to a mapped user.
  if ! $keep_data; then rm -rf "$work" 2>/dev/null || podman unshare rm -rf "$work"; else echo "kept: $work"; fi
}

# fail WORDS…: ends the test.
fail() {
  echo "failed: $*"
  exit 1
}

# ends CODE COMMAND…: whether the command ends with this code.
ends() {
  local code=0
  "${@:2}" || code=$?
  [ "$code" = "$1" ]
}

# has TEXT WORDS: TEXT contains WORDS.
has() {
  case "$1" in *"$2"*) ;; *) fail "no \"$2\" in: $1" ;; esac
}

# until_so WHAT COMMAND…: waits until the command succeeds, minutes at most.
until_so() {
  local what=$1 patience=900
  shift
  until "$@" >/dev/null 2>&1; do
    patience=$((patience - 1))
    [ $patience -gt 0 ] || fail "in vain: $what"
    sleep 0.2
  done
}

# As a production user runs it: nothing writable but what is mounted, no capability, no network.
locked=(--label vortex-test --read-only --cap-drop=ALL --security-opt=no-new-privileges --tmpfs /run/vortex --tmpfs /tmp)
network=none
sample=(-e VORTEX_DEFAULT_PROVIDER=sample -e "VORTEX_DOWNLOAD_ARGS=--yes --period 1d --symbol SPY AAPL")
once() { "$engine" run --rm "${locked[@]}" --network none "$@"; }
# service NAME OPTIONS…: starts the service and waits until it serves.
service() {
  local name=$1
  shift
  "$engine" run -d --name "$name" "${locked[@]}" --network "$network" "$@" "$IMAGE" >/dev/null || fail "$name does not start"
  until_so "$name serves" in_it "$name" vortexctl ping
}
in_it() { local name=$1; shift; "$engine" exec "$name" "$@"; }
ended() { in_it "$1" vortexctl --json jobs | grep -q '"result": "done"'; }
# folder NAME: a folder that user 1000 of a container without keep-id owns, where Podman maps users.
folder() {
  mkdir -p "$work/$1"
  [ "$engine" = docker ] && chmod 777 "$work/$1" || podman unshare chown 1000:1000 "$work/$1"
  echo "$work/$1"
}

test_1() {
  install -D -t "$work/package" "$deb"
  local format=()
  [ "$engine" = docker ] || format=(--format docker)
  "$engine" build "${format[@]}" -f docker/Dockerfile --build-arg "VERSION=$version" \
    --build-context "package=$work/package" -t "$IMAGE" . || fail "the build"
}

test_2() {
  local told size base layers tools
  told=$("$engine" image inspect "$IMAGE")
  has "$told" "\"org.opencontainers.image.version\": \"$version\""
  has "$("$engine" image inspect -f '{{.Config.User}} {{.Config.Cmd}} {{.Config.Entrypoint}}' "$IMAGE")" '1000:1000 [vortex daemon] []'
  size=$("$engine" image inspect -f '{{.Size}}' "$IMAGE") base=$("$engine" image inspect -f '{{.Size}}' "$BASE")
  echo "added to the base image: $(((size - base) / 1000)) kB"
  [ $((size - base)) -le 45000000 ] || fail "$((size - base)) bytes are more than 45 MB"
  layers=$("$engine" image inspect -f '{{len .RootFS.Layers}}' "$IMAGE")
  [ "$layers" -le 8 ] || fail "$layers layers"
  tools=$(once "$IMAGE" sh -c 'for tool in "$@"; do command -v "$tool"; done; echo looked' sh \
    gcc cc cargo rustc make dpkg-buildpackage git python3)
  [ "$tools" = looked ] || fail "the image has: $tools"
  has "$(once "$IMAGE" id)" 'uid=1000(vortex) gid=1000(vortex)'
}

test_3() {
  service basic "${sample[@]}"
  has "$(in_it basic vortexctl status)" "State: idle"
  has "$(in_it basic ps 2>/dev/null || in_it basic cat /proc/1/cmdline | tr '\0' ' ')" "vortex daemon"
  has "$(in_it basic vortex config --show)" "/data"
  # What people type into it.
  has "$(in_it basic vortex providers --list)" sample
  in_it basic vortex providers --test sample || fail "the test of a provider"
  has "$(in_it basic vortex download --dry-run --yes --symbol SPY)" SPY
  in_it basic vortex download --yes --symbol SPY --period 1d || fail "a download"
  in_it basic vortex validate --path /data || fail "the data"
  mkdir -p "$work/config" && chmod 755 "$work" "$work/config"
  has "$(cd "$work" && "$engine" run --rm --network none -v ./config:/home/vortex/.config/vortex "$IMAGE" vortex config --show)" "/data"
}

test_4() {
  has "$(once "$IMAGE" vortex --help)" "Usage: vortex"
  has "$(once "$IMAGE" vortexctl --help)" "Usage: vortexctl"
  has "$(once "$IMAGE" vortex --version)" "$version"
}

test_5() {
  has "$(once "$IMAGE" vortex providers --list)" "yahoo"
  once "${sample[@]}" "$IMAGE" vortex providers --test sample || fail "the test of the sample provider"
}

test_6() {
  local told
  told=$(once -e VORTEX_DEFAULT_PROVIDER=barchart -e VORTEX_BARCHART_USERNAME=me -e VORTEX_BARCHART_PASSWORD=hidden-word \
    -e VORTEX_BARCHART_DAILY_LIMIT=7 -e VORTEX_LOG_LEVEL=DEBUG -e VORTEX__PROVIDERS__YAHOO__CONCURRENCY=3 "$IMAGE" vortex config --show)
  has "$told" barchart
  has "$told" DEBUG
  has "$told" 'daily_limit = 7'
  has "$told" 'concurrency = 3'
  ! grep -q hidden-word <<<"$told" || fail "the password is shown"
  ! once -e VORTEX_LOG_LEVEL=LOUD "$IMAGE" vortex config --show || fail "a wrong level is taken"
}

test_7() {
  local data
  data=$(folder owned)
  service owned "${sample[@]}" -v "$data:/data" -v "$(folder owned-logs):/home/vortex/logs" -e VORTEX_RUN_ON_STARTUP=true
  until_so "the run at the start" ended owned
  has "$(in_it owned stat -c '%u:%g' /data/sample/stocks/1d/SPY.csv)" 1000:1000
  in_it owned test -s /home/vortex/logs/vortex.log || fail "no log file"
  [ "$engine" = podman ] || return 0
  mkdir -p "$work/mine"
  "$engine" run --rm "${locked[@]}" --userns=keep-id:uid=1000,gid=1000 -v "$work/mine:/data" "${sample[@]}" "$IMAGE" \
    vortex download --yes --period 1d --symbol SPY || fail "a download with keep-id"
  [ "$(stat -c %u "$work/mine/sample/stocks/1d/SPY.csv")" = "$(id -u)" ] || fail "the files are not the user's"
}

test_8() {
  service dry -e VORTEX_DEFAULT_PROVIDER=sample -e VORTEX_RUN_ON_STARTUP=true \
    -e "VORTEX_DOWNLOAD_ARGS=--yes --dry-run --period 1d --symbol SPY AAPL"
  until_so "the run at the start" ended dry
  has "$(in_it dry cat /home/vortex/logs/vortex-scheduler.out.log)" "dry run: 2 series"
  has "$(in_it dry vortexctl --json jobs)" '"origin": "startup"'
  ! in_it dry test -e /data/sample || fail "something was written"
  # The service itself cannot be dry.
  ends 2 once "${sample[@]}" -e VORTEX_DRY_RUN=true "$IMAGE" >"$work/dry" 2>&1 ||
    fail "a service that runs dry: $(cat "$work/dry")"
  has "$(cat "$work/dry")" "dry"
}

test_9() {
  docker/generate --check || fail "the environments have drifted: docker/generate"
  local file
  for file in docker/docker-compose.yml docker/environments/*/*/docker-compose.yml; do
    (cd "${file%/*}" && compose config) >"$work/compose" 2>&1 || fail "$file: $(cat "$work/compose")"
  done
}

compose() {
  if [ "$engine" = docker ]; then docker compose "$@"; else podman-compose --podman-run-args='--label vortex-test' "$@"; fi
}

test_10() {
  local told
  told=$(once "${sample[@]}" "$IMAGE" sh -c 'vortex download --dry-run --yes --symbol SPY --period 1d && ls -A /data')
  has "$told" SPY
  ! grep -q -i csv <<<"$told" || fail "something was written: $told"
}

# yahoo NAME OPTIONS…: a service in the network of a container that plays Yahoo, and that nobody else reaches.
yahoo() {
  local name=$1 network=container:$1-provider
  shift
  "$engine" run -d --name "$name-provider" --label vortex-test --network none -v "$YAHOO:/usr/local/bin/yahoo-server:ro" \
    "$IMAGE" yahoo-server --port 8099 >/dev/null || fail "the provider does not start"
  until_so "the provider" in_it "$name-provider" bash -c 'exec 3<>/dev/tcp/127.0.0.1/8099'
  service "$name" -e VORTEX_DEFAULT_PROVIDER=yahoo -e VORTEX_SCHEDULE= \
    -e VORTEX__PROVIDERS__YAHOO__BASE_URL=http://127.0.0.1:8099 "$@"
}

test_11() {
  yahoo data -e VORTEX__PROVIDERS__YAHOO__REQUESTS_PER_MINUTE=6000
  in_it data vortex download --yes --symbol AAPL --symbol MSFT || fail "the download"
  in_it data vortex validate --path /data || fail "the data"
  [ "$(in_it data sh -c 'wc -l </data/yahoo/stocks/1d/AAPL.csv')" -gt 1000 ] || fail "there is hardly anything"
  has "$(in_it data head -n1 /data/yahoo/stocks/1d/AAPL.csv)" "Datetime"
}

test_12() {
  local told
  service valid "${sample[@]}" -e "VORTEX_SCHEDULE=30 7 * * *"
  has "$(in_it valid vortexctl timers)" "07:3"
  service empty "${sample[@]}" -e VORTEX_SCHEDULE=
  service disabled "${sample[@]}" -e "VORTEX_SCHEDULE=# DISABLED"
  for told in empty disabled; do
    has "$(in_it $told vortexctl --json status)" '"next_run_usec": 0'
  done
  ends 2 once "${sample[@]}" -e "VORTEX_SCHEDULE=61 * * * *" "$IMAGE" >"$work/broken" 2>&1 ||
    fail "a broken schedule starts"
  has "$(cat "$work/broken")" VORTEX_SCHEDULE
}

test_13() {
  # The next minute comes while the rest is looked at.
  service minutely "${sample[@]}" -e "VORTEX_SCHEDULE=* * * * *"
  service scheduled "${sample[@]}" -e "VORTEX__SCHEDULE__ON_CALENDAR=*-*-* *:*:0/3" -v "$(folder scheduled):/home/vortex/logs"
  until_so "a run by the schedule" in_it scheduled grep -q "schedule.*done" /home/vortex/logs/vortex-scheduler.out.log
  has "$(in_it scheduled vortexctl --json jobs)" '"origin": "schedule"'
  has "$(in_it scheduled vortexctl status)" done
  until_so "a run by the five fields" ended minutely
  has "$(in_it minutely vortexctl --json jobs)" '"origin": "schedule"'
}

# adapt FOLDER: the environment of a folder, with the sample market in place of its provider and no network.
adapt() {
  sed -i 's|VORTEX_DEFAULT_PROVIDER=.*|VORTEX_DEFAULT_PROVIDER=sample|; s|    user:|    network_mode: none\n    user:|' "$1/docker-compose.yml"
  without_limits "$1"
  rm "$1/config/assets.json"
}

# without_limits FOLDER: takes the limits out where the kernel's controllers are not handed to users.
without_limits() {
  grep -qs memory "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/cgroup.controllers" ||
    sed -i '/^    deploy:/,/^          memory:/d' "$1/docker-compose.yml"
}

test_14() {
  local place=$work/compose-place told
  cp -r docker/environments/test/yahoo "$place"
  adapt "$place"
  sed -i "s|image: .*|image: $IMAGE|; s|container_name: .*|container_name: composed|" "$place/docker-compose.yml"
  export PODMAN_USERNS=keep-id:uid=1000,gid=1000
  (cd "$place" && VORTEX_DOWNLOAD_ARGS="--yes --period 1d --symbol SPY AAPL" compose up -d) || fail "compose up"
  until_so "the run at the start" ended composed
  in_it composed vortex validate --path /data || fail "the data"
  grep -q "startup.*done" "$place/logs/vortex-scheduler.out.log" || fail "no line of the run"
  test -s "$place/data/sample/stocks/1d/AAPL.csv" || fail "no data outside"
  (cd "$place" && compose down -t 15) || fail "compose down"
  # The service has what the shell has; what is empty there is as if it were not set, but for the schedule.
  sed "s|image: .*|image: $IMAGE|; s|container_name: .*|container_name: composed|; s|VORTEX_RUN_ON_STARTUP=true|VORTEX_RUN_ON_STARTUP=false|" \
    docker/docker-compose.yml >"$place/docker-compose.yml"
  sed -i '/^    build:/,/^      dockerfile:/d' "$place/docker-compose.yml"
  echo '{}' >"$place/config/assets.json"
  adapt "$place"
  set_to() {
    if [ "$1" = -u ]; then unset "$2"; else export "$@"; fi
  }
  handed() {
    (cd "$place" && set_to "${@:2}" && compose up -d) || fail "compose up with ${*:2}"
    until_so "it serves" in_it composed vortexctl ping
    told=$(in_it composed vortex config --show --origin; in_it composed vortexctl --json status)
    has "$told" "$1"
    (cd "$place" && compose down -t 15) || fail "compose down"
  }
  handed '"next_run_usec": 1' -u VORTEX_SCHEDULE
  handed '"next_run_usec": 0' VORTEX_SCHEDULE=
  handed 'level = "INFO"' VORTEX_LOG_LEVEL=
  handed 'level = "DEBUG"' VORTEX_LOG_LEVEL=DEBUG
  handed 'default_provider = "sample"' VORTEX_DEFAULT_PROVIDER=sample VORTEX_BARCHART_USERNAME= VORTEX_BARCHART_PASSWORD=
}

test_15() {
  service periods "${sample[@]}"
  in_it periods vortex download --yes --symbol SPY --period 1d,1h,15m || fail "the download"
  in_it periods vortex validate --path /data || fail "the data"
  for period in 1d 1h 15m; do
    has "$(in_it periods vortex archive list SPY --period $period)" "current"
  done
}

test_16() {
  local told
  service locked "${sample[@]}" -e VORTEX_RUN_ON_STARTUP=true
  until_so "the run at the start" ended locked
  # Its own folder, which only a root that is read-only keeps from it.
  [ "$(in_it locked stat -c %U /home/vortex)" = vortex ] || fail "the home is another user's"
  told=$(in_it locked touch /home/vortex/x 2>&1) && fail "the root can be written"
  has "$told" "Read-only file system"
  has "$(in_it locked grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs' /proc/1/status | tr -s '\t\n' ' ')" \
    "CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1"
}

test_17() {
  local before after orphan
  service stopped "${sample[@]}"
  before=$(date +%s)
  "$engine" stop -t 60 stopped >/dev/null
  after=$(date +%s)
  [ $((after - before)) -lt 10 ] || fail "it took $((after - before)) s to stop"
  [ "$("$engine" inspect -f '{{.State.ExitCode}}' stopped)" = 0 ] || fail "a stop ends with another code"
  service interrupted "${sample[@]}"
  "$engine" kill -s INT interrupted >/dev/null
  [ "$("$engine" wait interrupted)" = 0 ] || fail "Ctrl-C ends with another code"
  ends 4 once "$IMAGE" vortex archive show NONE >/dev/null 2>&1 || fail "an archive that is not there"
  ends 2 once "$IMAGE" vortex --nonsense >/dev/null 2>&1 || fail "a wrong option"
  # What a command leaves behind is reaped.
  service reaping "${sample[@]}"
  orphan=$(in_it reaping sh -c 'sleep 600 >/dev/null 2>&1 & echo $!')
  [ "$(in_it reaping sed -n 's/^PPid:\t//p' "/proc/$orphan/status")" = 1 ] || fail "process $orphan is no orphan"
  in_it reaping sh -c "kill $orphan"
  until_so "the orphan is reaped" in_it reaping test ! -e "/proc/$orphan"
}

test_18() {
  service frozen "${sample[@]}"
  # By the image's own check; Podman does one more when told, which saves minutes.
  health() {
    [ "$engine" = docker ] || podman healthcheck run frozen >/dev/null 2>&1
    [ "$("$engine" inspect -f '{{.State.Health.Status}}' frozen)" = "$1" ]
  }
  until_so "it is healthy" health healthy
  "$engine" kill -s STOP frozen >/dev/null
  until_so "a frozen service is unhealthy" health unhealthy
  "$engine" kill -s CONT frozen >/dev/null
  until_so "it is healthy again" health healthy
}

test_19() {
  local inside packaged
  for program in vortex vortexctl; do
    inside=$(once "$IMAGE" sha256sum "/usr/bin/$program" | cut -d' ' -f1)
    packaged=$(dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/bin/$program" | sha256sum | cut -d' ' -f1)
    [ "$inside" = "$packaged" ] || fail "$program differs: $inside, $packaged"
  done
}

test_20() {
  [ "$engine" = podman ] || fail "a Quadlet needs Podman"
  local units=$HOME/.config/containers/systemd
  systemctl --user is-system-running >/dev/null 2>&1 || systemctl --user list-units >/dev/null || fail "no systemd of this user"
  mkdir -p "$units/vortex-archive.container.d"
  cp docker/quadlet/* "$units/"
  podman tag "$IMAGE" localhost/vortex:quadlet
  printf '[Container]\nImage=localhost/vortex:quadlet\nAutoUpdate=local\nNetwork=none\nPull=never\nHealthInterval=1s\nHealthStartPeriod=0s\nEnvironment=VORTEX_DEFAULT_PROVIDER=sample "VORTEX_DOWNLOAD_ARGS=--yes --period 1d --symbol SPY" "VORTEX__SCHEDULE__ON_CALENDAR=*-*-* *:*:0/3"\n' \
    >"$units/vortex-archive.container.d/test.conf"
  systemctl --user daemon-reload
  systemctl --user start vortex-archive || { journalctl --user -u vortex-archive -n 30 --no-pager; fail "the Quadlet does not start"; }
  has "$(systemctl --user show vortex-archive -p StatusText)" "series current"
  until_so "a run by the schedule" ended vortex-archive
  in_it vortex-archive vortexctl status
  in_it vortex-archive test -S /run/vortex/bus || fail "the socket is elsewhere"
  # The watchdog.
  restarted() { [ "$(systemctl --user show vortex-archive -p NRestarts --value)" -gt 0 ]; }
  podman kill -s STOP vortex-archive >/dev/null
  until_so "a frozen service is started again" restarted
  until_so "it serves again" in_it vortex-archive vortexctl ping
  # An image that does not get ready.
  printf 'FROM %s\nCMD ["false"]\n' "$IMAGE" | podman build -q -t localhost/vortex:quadlet - || fail "a broken image"
  has "$(podman auto-update)" "rolled back"
  until_so "the image before serves" in_it vortex-archive vortexctl ping
  systemctl --user stop vortex-archive || fail "stopping"
  has "$(systemctl --user show vortex-archive -p Result)" success
  rm -r "$units"/vortex-*
  systemctl --user daemon-reload
  podman volume rm vortex-data vortex-logs >/dev/null
}

test_21() {
  mkdir -p "$work/secrets"
  echo "account-name" >"$work/secrets/username"
  echo "hidden-word" >"$work/secrets/password"
  chmod 755 "$work" "$work/secrets" && chmod 444 "$work/secrets"/*
  local secret=(-v "$work/secrets:/run/secrets/barchart:ro" -e VORTEX_BARCHART_USERNAME_FILE=/run/secrets/barchart/username
    -e VORTEX_BARCHART_PASSWORD_FILE=/run/secrets/barchart/password)
  has "$(once "${secret[@]}" "$IMAGE" vortex config --show --origin)" VORTEX_BARCHART_PASSWORD_FILE
  service secret "${sample[@]}" "${secret[@]}"
  for told in "$("$engine" inspect secret)" "$("$engine" logs secret 2>&1)" "$(in_it secret vortex config --show)" "$(in_it secret cat /proc/1/environ | tr '\0' '\n')"; do
    ! grep -q hidden-word <<<"$told" || fail "the password can be seen: $told"
  done
}

test_22() {
  yahoo killed -e VORTEX__PROVIDERS__YAHOO__REQUESTS_PER_MINUTE=60
  in_it killed vortexctl update --period 1d --symbol SPY QQQ IWM AAPL MSFT NVDA || fail "the update"
  until_so "the first series" sh -c "$engine exec killed vortexctl --json jobs | grep -qE '\"series_done\": [1-9]'"
  "$engine" kill -s KILL killed >/dev/null
  "$engine" wait killed >/dev/null
  "$engine" start killed >/dev/null || fail "it does not start again"
  until_so "it serves again" in_it killed vortexctl ping
  until_so "the job goes on to its end" ended killed
  in_it killed vortex validate --path /data || fail "the data"
  has "$(in_it killed vortexctl --json jobs)" '"series_total": 6'
}

test_23() {
  mkdir -p "$work/config"
  printf '# Mine.\n[general]\ndefault_provider = "sample"\n' >"$work/config/config.toml"
  echo '{"stock": {"SPY": {"code": "SPY", "periods": "1d"}}}' >"$work/config/assets.json"
  # What other tests left there may belong to users of containers.
  chmod a+rx "$work"
  chmod -R a+rX "$work/config"
  local before
  look() { (cd "$work/config" && find . -exec stat -c '%n %s %Y %Z %a' {} + | sort && cat config.toml assets.json); }
  before=$(look)
  "$engine" run -d --name mounted "${locked[@]}" -v "$work/config:/home/vortex/.config/vortex" -e VORTEX_RUN_ON_STARTUP=true "$IMAGE" >/dev/null ||
    fail "it does not start"
  for _ in $(seq 10); do
    until_so "it serves" in_it mounted vortexctl ping
    "$engine" restart -t 15 mounted >/dev/null || fail "a restart"
  done
  until_so "a run" ended mounted
  [ "$(look)" = "$before" ] || fail "the mounted configuration was changed: $(look)"
}

# The image's half of docs/deployment.md as it stands there, in a copy of the project whose package is built already.
test_24() {
  local project=$work/project shims=$work/shims home=$HOME next tool place page line tag
  mkdir -p "$project" "$shims" "$work/home"
  tar --exclude=./target --exclude=./.git -c . | tar -x -C "$project"
  printf '#!/bin/sh\n' >"$project/scripts/build-deb"
  for place in "$project"/docker/environments/*/*; do adapt "$place"; done
  git -C "$project" init -q && git -C "$project" add -A
  git -C "$project" -c user.name=test -c user.email=test@example.com commit -q -m test || fail "no clean tree"
  next=${version%.*}.$((${version##*.} + 1))
  printf 'FROM %s\nLABEL org.opencontainers.image.version=%s\n' "$IMAGE" "$next" |
    "$engine" build -q -t "docker.io/vortexdata/vortex:$next" - || fail "the next version"
  # The page says docker, and has a home of its own; the images stay where they are.
  for tool in podman podman-compose docker; do
    ! command -v "$tool" >/dev/null || printf '#!/bin/sh\nHOME=%s exec %s "$@"\n' "$home" "$(command -v "$tool")" >"$shims/$tool"
  done
  if [ "$engine" = podman ]; then
    cat >"$shims/docker" <<'END'
#!/bin/sh
case $1 in
info) exit 1 ;;
compose) shift && exec podman-compose --podman-run-args='--label vortex-test' "$@" ;;
run) shift && exec podman run --network none -e VORTEX_DEFAULT_PROVIDER=sample -e VORTEX__PROVIDERS__YAHOO__ENABLED=false "$@" ;;
*) exec podman "$@" ;;
esac
END
  fi
  chmod +x "$shims"/*
  page=$(awk '/^## / { image = $0 == "## The image" } /^```/ { block = $0 == "```console" }
    image && block && /^\$ / { print substr($0, 3) }' docs/deployment.md)
  [ "$(wc -l <<<"$page")" -gt 30 ] || fail "the page is gone: $page"
  while read -r line; do
    printf 'echo %q\n%s || exit 1\n' "\$ $line" "$line"
    # Whoever types waits as long.
    case "$line" in *"compose up"*) echo 'served || exit 1' ;; esac
    case "$line" in VORTEX_TAG=*) read -r tag _ <<<"${line#*=}" && echo "running $tag" ;; esac
  done <<<"$page" >"$work/page"
  cat >"$work/prelude" <<'END'
served() {
  for _ in $(seq 600); do
    docker exec "$(sed -n 's/ *container_name: //p' docker-compose.yml)" vortexctl ping >/dev/null 2>&1 && return
    sleep 0.2
  done
  echo "it does not serve"
  return 1
}
running() {
  local image
  image=$(docker inspect -f '{{.Config.Image}}' vortex-prod-yahoo)
  [ "${image##*:}" = "$1" ] || { echo "$image runs, not $1"; exit 1; }
}
END
  (cd "$project" && HOME=$work/home PATH="$shims:$PATH" bash -c '. "$1" && . "$2"' page "$work/prelude" "$work/page") ||
    fail "the page"
  test -s "$work/home/vortex-prod/data/sample/stocks/1d/SPY.csv" || fail "no data"
  grep -q done "$work/home/vortex-prod/logs/vortex-scheduler.out.log" || fail "no line of a run"
}

# One environment for each provider, its files as they are; a file beside them takes the network away. None of them
# gets an answer, and each serves all the same.
test_25() {
  local at provider place name
  "$engine" tag "$IMAGE" "docker.io/vortexdata/vortex:$version"
  export PODMAN_USERNS=keep-id:uid=1000,gid=1000
  for at in dev/yahoo test/barchart prod/ibkr; do
    provider=${at#*/} place=$work/${at/\//-} name=vortex-${at/\//-}
    cp -r "docker/environments/$at" "$place"
    if [ "$engine" = docker ]; then chmod 777 "$place/data" "$place/logs"; fi
    printf 'services:\n  vortex:\n    network_mode: none\n' >"$place/docker-compose.override.yml"
    without_limits "$place"
    (cd "$place" && compose up -d) || fail "compose up of $at"
    until_so "$at serves" in_it "$name" vortexctl ping
    has "$(in_it "$name" vortex config --show)" "default_provider = \"$provider\""
    has "$(in_it "$name" vortexctl status)" "State: "
    has "$(in_it "$name" vortex download --dry-run --yes)" "requests to $provider; nothing was asked"
    (cd "$place" && compose down -t 15) || fail "compose down of $at"
    diff -r "docker/environments/$at/config" "$place/config" || fail "the configuration of $at was changed"
  done
}

# run NUMBER: one test. Each step of it has to succeed, whether it says what a failure would mean or not.
run() {
  set -eE
  shopt -s inherit_errexit
  trap 'echo "failed: line $LINENO: $BASH_COMMAND" >&2' ERR
  "test_$1"
}

passed=0 failed=0
for number in "${numbers[@]}"; do
  if [ "$number" = 1 ] && ! $build; then
    "$engine" image inspect "$IMAGE" >/dev/null || exit 1
    $quiet || echo "skipped 1 ${TESTS[0]}: the image is there"
    continue
  fi
  began=$(date +%s)
  if $verbose; then (run "$number") 2>&1 | tee "$work/log"; else (run "$number") >"$work/log" 2>&1; fi
  # shellcheck disable=SC2181 # that of either branch
  if [ $? = 0 ]; then
    passed=$((passed + 1))
    $quiet || echo "ok $number ${TESTS[number - 1]} ($(($(date +%s) - began)) s)"
  else
    failed=$((failed + 1))
    echo "FAILED $number ${TESTS[number - 1]}"
    $verbose || sed 's/^/    /' "$work/log"
    for container in $("$engine" ps -aq --filter label=vortex-test); do
      echo "    log of $container:"
      "$engine" logs --tail 10 "$container" 2>&1 | sed 's/^/    /'
    done
    [ "$number" != 1 ] || break
  fi
  $keep_containers || "$engine" ps -aq --filter label=vortex-test | xargs -r "$engine" rm -f -v -t 0 >/dev/null 2>&1
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
