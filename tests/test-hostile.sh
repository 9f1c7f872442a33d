#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Hostile guests harm only themselves: each is reported with the reason, its neighbours finish, and the
# monitor ends in order. Twelve bare-metal villains with twelve neighbours in one run; one that never wakes; and a Debian
# guest that panics beside three that do not.
. "$(dirname "$0")/lib.sh"
need jq

bare hostile
run 300 --vms 24 --vcpus 2 --memory 16M --bios "$work/hostile.elf" --virtual-timeout 1 --stats "$work/stats.json"
[ $status -eq 1 ] || fail "a run with failed VMs ends with status $status"
[ -s "$work/stats.json" ] || fail "no statistics of a run with failed VMs"

# verdict N: of the N-th VM, from the statistics: state, reason.
verdicts() {
	awk -F'"' '$2 == "name" && $4 ~ /^vm[0-9]+$/ { vm = $4 } $2 == "state" { state[vm] = $4 } $2 == "reason" { reason[vm] = $4 }
		END { for (v in state) print v, state[v], reason[v] }' "$work/stats.json"
}
verdicts >"$work/verdicts"
is() { # VM PATTERN
	grep -q "^$1 $2" "$work/verdicts" || fail "$1 is '$(grep "^$1 " "$work/verdicts")', not '$2'"
}
for vm in $(seq 0 2 22); do
	is vm$vm 'done'
done
is vm1 'failed hart [01] traps without end on its own trap handler at 0x0 ' # jumps to nowhere
is vm3 'failed time ran out'                                            # trap loop
is vm5 'done'                                                           # garbage rings
is vm7 'done'                                                           # DMA outside memory: refused
is vm9 'done'                                                           # unknown addresses: access faults
is vm11 'failed time ran out'                                           # sleeps, while others run
is vm13 'failed hart [01] traps without end on its own trap handler at 0x4000 ' # page tables nowhere
is vm15 'done'                                                          # self-modifying code
is vm17 'done'                                                          # LR/SC between harts
is vm19 'failed hart [01] traps without end on its own trap handler at 0x0 ' # locked out of memory
is vm21 'failed time ran out'                                           # floods its console
is vm23 'done'                                                          # device registers in all sizes
[ "$(wc -l <"$work/err")" -eq 6 ] || fail "not one line for each failed VM: $(cat "$work/err")"
for vm in 1 3 11 13 19 21; do
	grep -q "^disco: vm$vm: " "$work/err" || fail "stderr does not say what became of vm$vm"
done

# An interrupt ends the run in order whatever the guests are doing: statistics, report, and bookkeeping that is whole. What --exec asks
# of these guests does not come to pass, but with it there is a report.
"$disco" run --threads 2 --vms 48 --vcpus 2 --memory 16M --bios "$work/hostile.elf" --kernel "$work/hostile.elf" \
	--initrd "$work/hostile.elf" --exec true --check-invariants --timeout 60 --stats "$work/stopped.json" \
	>"$work/out" 2>"$work/err" </dev/null &
until grep -q 'VMs are up' "$work/err" || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
sleep 1 # what it is doing then does not matter
kill -INT $! || fail "the run to interrupt is not there"
wait $!
status=$?
[ $status -eq 130 ] || fail "an interrupted run ends with status $status: $(tail -n 3 "$work/err")"
grep -q '^total ' "$work/out" || fail "an interrupted run does not report: $(cat "$work/out")"
jq -e '.vms | length == 48' "$work/stopped.json" >/dev/null || fail "an interrupted run has no statistics"

bare sleep
run 60 --memory 16M --bios "$work/sleep.elf"
[ $status -ne 0 ] && grep -q '^disco: vm0: never wakes' "$work/err" || fail "a VM that sleeps without end: $(cat "$work/err")"

debian
run 240 --vms 4 --disk none --virtual-timeout 60 --stats "$work/stats.json" \
	--exec 'if [ $(hostname) = vm1 ]; then echo c >/proc/sysrq-trigger; fi; echo fine'
[ $status -eq 1 ] || fail "a run with a panic ends with status $status"
for vm in vm0 vm2 vm3; do
	[ "$(said $vm)" = fine ] || fail "$vm, beside a panicking one, says '$(said $vm)'"
done
verdicts >"$work/verdicts"
is vm1 'failed reset itself (a kernel panic'
is vm2 'done'
finish
