#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The build makes anew what a change concerns, and nothing without one; `make help` knows the targets; `make clean` keeps
# what fuzzers have found.
. "$(dirname "$0")/lib.sh"
need make
unset MAKEFLAGS MAKELEVEL MFLAGS SAN

object=$work/b/numa/util.o
builds() { # yes|no WHAT ARGUMENT...
	local wanted=$1 what=$2
	shift 2
	make -s -C "$root" B="$work/b" "$@" "$object" >"$work/out" 2>&1 || fail "$what: $(cat "$work/out")"
	if grep -q 'CC  *numa/util.c' "$work/out"; then is=yes; else is=no; fi
	[ $is = "$wanted" ] || fail "$what: compiled: $is"
}
builds yes "the first time"
builds no "without a change"
builds yes "with other flags" OPT=-O0
builds no "with these flags again" OPT=-O0
builds yes "with the flags of before"
builds yes "with another Makefile" -W Makefile
builds yes "with another header" -W numa/util.h
builds no "without a change in the end"

make -C "$root" V=1 -W numa/util.c B="$work/b" "$object" | grep -q -e '-c -o .*util.o' || fail "V=1 shows no command"
make -s -C "$root" help >"$work/help"
for target in all check check-long fuzz coverage format install uninstall clean distclean help; do
	grep -q "^  $target " "$work/help" || fail "make help does not know $target"
done

mkdir -p "$work/tree/build/fuzz/x.corpus" "$work/tree/build/numa"
cp "$root/Makefile" "$work/tree"
touch "$work/tree/build/fuzz/x.corpus/1" "$work/tree/build/fuzz/x.log" "$work/tree/build/disco"
make -s -C "$work/tree" clean >/dev/null
[ "$(cd "$work/tree/build" && find . -type f)" = ./fuzz/x.corpus/1 ] || fail "clean leaves $(find "$work/tree/build")"
make -s -C "$work/tree" distclean >/dev/null
[ ! -e "$work/tree/build" ] || fail "distclean leaves $(find "$work/tree/build")"
finish
