#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The kvm engine beside QEMU's microvm under the same KVM (bench/kvm-host.sh): boot to power-off, an exit, a doorbell, a page that
# moves beside move_pages(2), four VMs reading one disk, and the monitor's memory for each.
# Runs on this host, if that has hardware virtualization. Else it runs on the lab's: its emulated CPUs make every time long, so that
# only ratios mean anything.
#
# Usage: bench/kvm.sh [boot] [boot_huge] [exit_cost] [doorbell] [moves] [disk]    (default: all)
. "$(dirname "$0")/lib.sh"
need qemu-system-x86_64 cpio
work=$out/kvm
mkdir -p "$work"
if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -r /dev/kvm ]; then
	guest=$("$here/../guests/debian/fetch" --arch amd64) || fail "no guest"
	"$here/guest/kvm-programs" "$work" || fail "its programs do not build"
	PATH=$B:$PATH GUEST=$guest PROGRAMS=$work WORK=$work/run PAIRS=$PAIRS WHAT="$*" sh "$here/kvm-host.sh" >"$work/log" || fail "see $work/log"
else
	{ printf 'PAIRS=%s WHAT="%s" MB=16\n' "$PAIRS" "$*"; cat "$here/kvm-host.sh"; } >"$work/kvm-host.sh"
	LAB_QEMU=1 B=$B "$here/../tests/lab/run" 2 "$work/kvm-host.sh" 3000 >"$work/log" || fail "see $work/log"
fi
host_line
grep '^figure ' "$work/log"
