#!/usr/bin/env bash
# Builds and tags the image of a release, from the finished package of this tree.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Usage: scripts/build-production.sh [VERSION] [OPTIONS]
  VERSION            has to be that of Cargo.toml, with or without a v
  --push             push the tags when all else is done
  --test             run tests/docker/test-docker-build.sh on the image before it is pushed
  --no-cache         take no layer of an earlier build
  --dev              tag it dev, and nothing else
  --dry-run          print what would be done
  --platform LIST    such as linux/amd64,linux/arm64; the package of another machine than this one has to be in dist
                     already, made there by scripts/build-deb
  -r, --registry R   the registry (DOCKER_REGISTRY, else docker.io)
  -u, --user U       the account there (DOCKER_USERNAME, else vortexdata)

Without --dev the tags are VERSION and latest. A tree with changes that are not committed is refused.
TEXT
}

refuse() {
  echo "build-production: $1" >&2
  exit 2
}

. scripts/lib/tools
version=$(version)
registry=${DOCKER_REGISTRY:-docker.io} user=${DOCKER_USERNAME:-vortexdata}
push=false tested=false dev=false dry=false platform='' cache=()
while [ $# -gt 0 ]; do
  case "$1" in
    --push) push=true ;;
    --test) tested=true ;;
    --no-cache) cache=(--no-cache) ;;
    --dev) dev=true ;;
    --dry-run) dry=true ;;
    --platform | -r | --registry | -u | --user)
      case "${2:-}" in
        '' | -*) refuse "$1 needs a value" ;;
      esac
      case "$1" in
        --platform) platform=$2 ;;
        -r | --registry) registry=$2 ;;
        *) user=$2 ;;
      esac
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; refuse "unknown option $1" ;;
    *) [ "${1#v}" = "$version" ] || refuse "version $1 is asked for, and Cargo.toml has $version" ;;
  esac
  shift
done
[ -z "$(git status --porcelain)" ] || refuse "the tree has changes that are not committed: commit or stash them"

$dry || need_engine
engine=$(engine)
do_it() {
  if $dry; then printf '%q ' "$@"; echo; else "$@"; fi
}

name=${registry%/}/$user/vortex
[[ $name =~ ^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$ ]] ||
  refuse "$name is no name of an image: a registry is such as ghcr.io or localhost:5000, a user lower-case letters, digits, . _ and -"
if $dev; then tags=("$name:dev"); else tags=("$name:$version" "$name:latest"); fi
here=linux/$(dpkg --print-architecture)
: "${platform:=$here}"
if [ "$engine" = docker ] && [ "$platform" != "$here" ]; then
  # Images of several platforms are no images of this machine: they go to the registry as they are made.
  $push || refuse "docker keeps images of other platforms in a registry alone: add --push"
  $tested && refuse "what docker builds for other platforms is pushed at once: leave --test out"
fi
# The packages that go into the images, one for each platform: each image has what its .deb has.
packages=()
for one in ${platform//,/ }; do
  package=$(package_file "${one#linux/}")
  packages+=("$package")
  if [ "$one" = "$here" ]; then
    do_it scripts/build-deb
  elif [ ! -e "$package" ]; then
    refuse "there is no $package: run scripts/build-deb on a machine of $one, and put what it makes there"
  fi
done
do_it rm -rf target/image
do_it install -D -t target/image "${packages[@]}"
# The image of one commit is made at the time of that commit; the package has the time of its changelog.
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
build=("${cache[@]}" -f docker/Dockerfile --build-arg "VERSION=$version" --build-context package=target/image
  --label "org.opencontainers.image.revision=$(git rev-parse HEAD)"
  --label "org.opencontainers.image.created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)")
# A list of images, one for each platform.
list=true
if [ "$platform" = "$here" ]; then
  [ "$engine" = docker ] || build+=(--format docker)
  do_it "$engine" build "${build[@]}" "${tags[@]/#/--tag=}" .
  list=false
elif [ "$engine" = docker ]; then
  do_it docker buildx build "${build[@]}" --platform "$platform" "${tags[@]/#/--tag=}" --push .
  push=false
else
  do_it podman build --format docker "${build[@]}" --platform "$platform" --manifest "${tags[0]}" .
  for tag in "${tags[@]:1}"; do do_it podman tag "${tags[0]}" "$tag"; done
fi
if $tested; then do_it env VORTEX_IMAGE="${tags[0]}" tests/docker/test-docker-build.sh --skip-build; fi
if $push; then
  for tag in "${tags[@]}"; do
    if $list; then do_it podman manifest push --all "$tag" "docker://$tag"; else do_it "$engine" push "$tag"; fi
  done
fi
echo "${tags[*]}"
