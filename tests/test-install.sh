#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The program finds its data wherever it and its data are moved together: installed, moved, copied with the tree that it was
# built in, or told by DISCO_DATA; where there is none, that is one line and exit status 2.
. "$(dirname "$0")/lib.sh"
need make
unset DISCO_DATA MAKEFLAGS MAKELEVEL MFLAGS
build=${BUILD:-$root/build}

lists() { # PROGRAM: its list of machines is that of its own data
	"$1" topology --list >"$work/out" 2>"$work/err" || fail "$1: $(cat "$work/err")"
	grep -q '^ours ' "$work/out" || fail "$1 lists machines that are not beside it: $(cat "$work/out")"
	"$1" topology --machine ours >"$work/out" 2>"$work/err" || fail "$1: $(cat "$work/err")"
}
refuses() { # PATTERN COMMAND...
	"${@:2}" >"$work/out" 2>"$work/err"
	local status=$?
	[ $status -eq 2 ] || fail "${*:2} ends with $status"
	[ "$(wc -l <"$work/err")" -eq 1 ] && grep -q -e "$1" "$work/err" || fail "${*:2} says: $(cat "$work/err")"
	[ ! -s "$work/out" ] || fail "${*:2} writes to stdout"
}
mark() { sed 's/^description.*/description = "of this tree";/' "$root/numa/machine/machines/flash8.conf" >"$1/numa/machine/machines/ours.conf"; }

# Installed, then moved.
(cd "$root" && make -s -o "$build/disco" B="$build" PREFIX=/usr DESTDIR="$work/a" install) >"$work/log" 2>&1 || fail "install: $(cat "$work/log")"
mark "$work/a/usr/share/disco"
lists "$work/a/usr/bin/disco"
mkdir "$work/b"
mv "$work/a/usr" "$work/b/moved"
lists "$work/b/moved/bin/disco"
ln -s "$work/b/moved/bin/disco" "$work/link"
lists "$work/link"

# A tree copied with its build directory.
mkdir -p "$work/tree/build" "$work/tree/numa/machine"
cp "$disco" "$work/tree/build/"
cp -R "$root/numa/machine/machines" "$work/tree/numa/machine/"
mark "$work/tree"
lists "$work/tree/build/disco"
cp "$disco" "$work/tree/"
lists "$work/tree/disco"

# DISCO_DATA says where, and nothing else is looked at.
DISCO_DATA=$work/tree lists "$disco"
for command in "topology --list" "topology --machine flash8" "reproduce sosp97 --print-jobs" "run --exec true"; do
	# shellcheck disable=SC2086 # words
	refuses "DISCO_DATA: .*$work/nowhere" env DISCO_DATA="$work/nowhere" "$disco" $command
done
mkdir -p "$work/x/y/z"
cp "$disco" "$work/x/y/z/"
refuses 'set DISCO_DATA' "$work/x/y/z/disco" topology --list
"$work/x/y/z/disco" --version >"$work/out" 2>"$work/err" || fail "--version needs data: $(cat "$work/err")"
finish
