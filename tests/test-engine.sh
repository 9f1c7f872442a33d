#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Which engine runs. A host without hardware virtualization says so in one line that names a remedy, and `--engine auto` then takes
# the simulator. Options that KVM cannot serve are refused before the host is asked.
. "$(dirname "$0")/lib.sh"

refused() { # TEXT ARGUMENT...
	local text=$1
	shift
	"$disco" run "$@" </dev/null >"$work/stdout" 2>"$work/stderr"
	local status=$?
	[ $status -eq 2 ] || fail "disco run $* exits with $status"
	[ "$(wc -l <"$work/stderr")" -eq 1 ] && grep -q -e "$text" "$work/stderr" || fail "disco run $* says: $(cat "$work/stderr")"
	[ ! -s "$work/stdout" ] || fail "disco run $* prints $(cat "$work/stdout")"
}

refused "'xen' is none of sim, kvm, auto" --engine xen
refused '--machine-memory is for --engine kvm' --machine-memory 1G
if [ "$(uname -m)" = x86_64 ]; then
	refused '--warm is for --engine sim' --engine kvm --warm
	refused '--bios is for --engine sim' --engine kvm --bios x
	refused '--mode is for --engine sim' --engine kvm --mode trap
	refused '--fidelity numa is for --engine sim' --engine kvm --fidelity numa
	if ! grep -qwE 'vmx|svm' /proc/cpuinfo; then
		refused 'no hardware virtualization .*; or use --engine sim$' --engine kvm
		bare spin
		timeout 60 "$disco" run --engine auto --memory 16M --virtual-timeout 1 --bios "$work/spin.elf" --quiet --stats "$work/stats.json" </dev/null
		grep -q '"engine": "sim"' "$work/stats.json" || fail "--engine auto: $(grep engine "$work/stats.json")"
	fi
fi
finish
