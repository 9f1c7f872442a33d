#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The version is what git says of the tree, or without git the changelog; the hash of the model changes with the sources that decide
# what is counted, and with no others; and when either changes, one small file is compiled.
. "$(dirname "$0")/lib.sh"
need git make
unset MAKEFLAGS MAKELEVEL MFLAGS SAN GIT_DIR GIT_WORK_TREE
tree=$work/tree
mkdir "$tree"
(cd "$root" && cp -R numa sharing monitor papers CHANGELOG.md Makefile "$tree/")
version() { "$root/monitor/base/version.sh" "$tree" | sed -n 's/^#define DISCO_VERSION "\(.*\)"$/\1/p'; }
model() { "$root/monitor/base/version.sh" "$tree" | sed -n 's/^#define DISCO_MODEL "\(.*\)"$/\1/p'; }

# The version.
top=$(grep -m 1 '^## ' "$root/CHANGELOG.md" | cut -d ' ' -f 2)
[ "$(version)" = "$top" ] || fail "without git the version is '$(version)', not '$top'"
git() { command git -C "$tree" -c user.name=x -c user.email=x@y "$@"; }
git init -q && git add -A && git commit -q -m one
[ "$(version)" = "$(git rev-parse --short HEAD)" ] || fail "the version is '$(version)'"
echo >>"$tree/CHANGELOG.md"
[ "$(version)" = "$(git rev-parse --short HEAD)-dirty" ] || fail "of a changed tree the version is '$(version)'"
git commit -q -a -m two
git tag -a -m tag v9.8
[ "$(version)" = v9.8 ] || fail "of a tag the version is '$(version)'"

# The model.
first=$(model)
[ "${#first}" -eq 16 ] || fail "the model is '$first'"
kept() {
	[ "$(model)" = "$first" ] || fail "the model changes with $1"
	git checkout -q . && git clean -q -f -d
}
changed() {
	[ "$(model)" != "$first" ] || fail "the model does not change with $1"
	git checkout -q . && git clean -q -f -d
}
for file in monitor/plot/plot.c monitor/cli/main.c monitor/report/stats.c monitor/paper/numbers.c numa/README.md papers/sosp97/claims.json \
	numa/machine/machines/flash8.conf; do
	echo >>"$tree/$file"
	kept "$file"
done
for file in numa/util.h sharing/image.c monitor/base/json.c monitor/vm/vm.h monitor/boot/boot.c monitor/dev/virtio-balloon.c monitor/run/cluster.c \
	monitor/engine/sim/insn.def monitor/engine/kvm/host.c monitor/drive/loop.c numa/policy/disco.c; do
	[ -e "$tree/$file" ] || fail "there is no $file"
	echo >>"$tree/$file"
	changed "$file"
done
echo >"$tree/numa/memory/new.c"
changed "a new file"
mv "$tree/sharing/image.c" "$tree/sharing/picture.c"
changed "another name"
mv "$tree" "$tree.moved"
tree=$tree.moved
kept "the tree's place"

# The build: anew when it changed, and one source includes it.
made() { make -s -C "$tree" B="$work/b" "$work/b/version-made.h" >/dev/null && stat -c %.Y "$work/b/version-made.h"; }
before=$(made)
[ "$(made)" = "$before" ] || fail "without a change the version is written again"
echo >>"$tree/numa/util.h"
[ "$(made)" != "$before" ] || fail "the build does not notice a change"
grep -q -e '-dirty"' "$work/b/version-made.h" || fail "the build has $(cat "$work/b/version-made.h")"
[ "$(cd "$root" && grep -rl 'include "version-made.h"' numa sharing monitor)" = monitor/base/version.c ] || fail "more than one source includes the version"
finish
