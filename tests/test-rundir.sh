#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Where the sockets of runs are: none is left behind, not by root's runs either, whose monitor becomes another user; a directory that
# somebody else made, or whose path is too long, is told in one line and ends no run.
. "$(dirname "$0")/lib.sh"
bare count
run_in() { # RUNTIME-DIRECTORY
	XDG_RUNTIME_DIR=$1 limited 60 "$disco" run --bios "$work/count.elf" --memory 4M --quiet </dev/null >"$work/out" 2>"$work/err"
	local status=$?
	[ $status -eq 0 ] || fail "with $1 a run ends with $status: $(cat "$work/err")"
}

run_in "$work/run"
run_in "$work/run"
[ -d "$work/run/disco" ] || fail "no directory for sockets"
[ -z "$(ls "$work/run/disco")" ] || fail "left behind: $(ls "$work/run/disco")"
[ ! -s "$work/err" ] || fail "something to say: $(cat "$work/err")"

told() { # PATTERN
	[ "$(wc -l <"$work/err")" -eq 1 ] && grep -q -e "$1; sockets of runs are in /tmp/disco-$(id -u)\." "$work/err" || fail "of $1: $(cat "$work/err")"
	other=$(sed 's/.* //' "$work/err")
	[ "$(stat -c '%a %u' "$other")" = "700 $(id -u)" ] || fail "$other: $(stat -c '%a %u' "$other")"
}
mkdir -p "$work/open/disco"
chmod 777 "$work/open/disco"
run_in "$work/open"
told 'not a directory that only this user may enter'
first=$other
XDG_RUNTIME_DIR=$work/open "$disco" console --list >"$work/out" 2>"$work/err" || fail "console: $(cat "$work/err")"
told 'not a directory that only this user may enter'
[ "$other" = "$first" ] || fail "the console looks in $other, the run was in $first"

long=$work/a-directory-with-a-name-that-is-longer-than-the-address-of-a-socket-can-be
mkdir -m 700 "$long"
run_in "$long"
told "too long for a socket's address"
[ -z "$(find "$work" -maxdepth 1 -name 'a-dir*' ! -path "$long")" ] || fail "a directory with half the name"
[ -z "$(ls "$long")" ] || fail "made in the long directory: $(ls "$long")"
rmdir "$other" 2>/dev/null
finish
