#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A VM that serves files by NFS: the others see what it serves and each other's writes, the run ends
# when they are done, and a directory that is not there fails the run with a word of why.
. "$(dirname "$0")/lib.sh"
debian

run_ok 600 --quiet --memory 160M --vms 3 --nfs /usr/share --exec '
	(cd /usr/share && find . -type f | sort | head -n 200 | xargs cat) | md5sum
	(cd /nfs && find . -type f | sort | head -n 200 | xargs cat) | md5sum
	hostname >/nfs/$(hostname) && sync
	until [ -s /nfs/vm1 ] && [ -s /nfs/vm2 ]; do sleep 0.1; done
	cat /nfs/vm1 /nfs/vm2'
out=$work/out
[ "$(grep -c '^vm[12]| ' "$out")" -eq 8 ] || fail "the clients say: $(cat "$out")"
grep -q '^vm0' "$out" && fail "the server ran the command"
[ "$(sed -n 's/^vm[12]| \(.* -\)$/\1/p' "$out" | sort -u | wc -l)" -eq 1 ] || fail "sums differ: $(cat "$out")"
[ "$(grep -c '| vm[12]$' "$out")" -eq 4 ] || fail "the clients do not see each other's files: $(cat "$out")"

run 600 --quiet --memory 160M --vms 2 --nfs /no/such/place --exec true --virtual-timeout 30
[ $status -eq 1 ] || fail "a directory that is not there: status $status"
grep -q 'is no directory' "$out" || fail "no reason given: $(cat "$out" "$work/err")"
finish
