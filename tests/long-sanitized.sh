#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# All of `make SAN=1 check`, under build/san; a quarter of an hour. Tests that a sanitizer build is too slow for skip by themselves.
. "$(dirname "$0")/lib.sh"
[ -z "${SAN:-}" ] || skip "the build is a sanitizer build already"
need make
unset MAKEFLAGS MAKELEVEL MFLAGS

make -s -C "$root" SAN=1 B=build/san -j"$(nproc)" all tests >"$work/out" 2>&1 || fail "the build: $(tail -n 40 "$work/out")"
make -s -C "$root" SAN=1 B=build/san check >"$work/out" 2>&1 || fail "$(grep -v '^ok ' "$work/out")"
tail -n 1 "$work/out"
finish
