#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Sources are as .clang-format has them (`make format` makes them so).
. "$(dirname "$0")/lib.sh"
[ -z "${SAN:-}" ] || skip "not for a sanitizer build"
need make clang-format
unset MAKEFLAGS MAKELEVEL MFLAGS

make -s -C "$root" format-check >"$work/out" 2>&1 || fail "$(grep -c 'error:' "$work/out") places; make format
$(cut -c 1-120 "$work/out" | head -n 20)"
finish
