#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The kvm engine beside QEMU's microvm under the same KVM (bench/kvm-host.sh): boot to power-off, an exit, four VMs reading one disk.
# On this host, where it has hardware virtualization; else on the lab's, whose emulated CPUs make every time long and only ratios
# mean anything.
#
# Usage: bench/kvm.sh [boot] [exit_cost] [disk]    (default: all)
. "$(dirname "$0")/lib.sh"
need qemu-system-x86_64 cpio
work=$out/kvm
mkdir -p "$work"
if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -r /dev/kvm ]; then
	guest=$("$here/../guests/debian/fetch" --arch amd64) || fail "no guest"
	cc -O2 -static -o "$work/exits" "$here/guest/exits.c" || fail "exits does not build"
	PATH=$B:$PATH GUEST=$guest EXITS=$work/exits WORK=$work/run PAIRS=$PAIRS WHAT="$*" sh "$here/kvm-host.sh" >"$work/log" || fail "see $work/log"
else
	{ printf 'PAIRS=%s WHAT="%s"\n' "$PAIRS" "$*"; cat "$here/kvm-host.sh"; } >"$work/kvm-host.sh"
	LAB_QEMU=1 B=$B "$here/../tests/lab/run" 2 "$work/kvm-host.sh" 3000 >"$work/log" || fail "see $work/log"
fi
host_line
grep '^figure ' "$work/log"
