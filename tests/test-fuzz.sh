#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Takes 60 s.
# Each fuzzer of tests/fuzz searches for 20 s, from its committed corpus; `make fuzz` searches for longer.
. "$(dirname "$0")/lib.sh"
[ -z "${SAN:-}" ] || skip "not for a sanitizer build"
sanitized_build
for f in "$root"/tests/fuzz/*.c; do
	f=$(basename "$f" .c)
	[ -n "$(ls "$root/tests/fuzz/corpus/$f" 2>/dev/null)" ] || fail "$f has no corpus: make fuzz fuzz-corpus"
	"$root/tests/fuzz/run" "$f" 20 || fail "$f"
done
finish
