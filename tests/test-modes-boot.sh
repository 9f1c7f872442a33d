#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Modes of virtualization: bare-metal programs compute in each the results of QEMU, a run in each is the same on one host thread and
# two, and Debian boots in each. The costs are printed, and each is booked in the right place.
. "$(dirname "$0")/lib.sh"
need gcc make jq
bare hostile

# --- the same architecture: the differential test, whose other side is QEMU
if command -v qemu-system-riscv64 >/dev/null; then
	for mode in native nested trap; do
		limited 280 "$root/tests/test-diff.sh" --seeds 1-2 --peer "$disco run --mode $mode --memory 128M --bios" >"$work/diff" 2>&1 ||
			fail "mode $mode differs from QEMU: $(tail -n 5 "$work/diff")"
	done
fi

# --- deterministic
metal="--vcpus 2 --memory 16M --bios $work/hostile.elf --virtual-timeout 0.1 --quiet"
once() { # NAME ARGUMENT...
	local name=$1
	shift
	limited 200 "$disco" run --stats "$work/$name.json" "$@" </dev/null >/dev/null 2>"$work/err"
	jq -e 'del(.host)' "$work/$name.json" >"$work/$name" 2>/dev/null || fail "$name: no statistics: $(tail -n 3 "$work/err")"
}
for mode in plain native nested trap; do
	vms=4
	[ $mode = native ] && vms=1
	for fidelity in functional numa; do
		once one $metal --mode $mode --vms $vms --fidelity $fidelity --threads 1
		once two $metal --mode $mode --vms $vms --fidelity $fidelity --threads 2
		cmp -s "$work/one" "$work/two" || fail "$mode, $fidelity: two runs differ: $(diff "$work/one" "$work/two" | head -n 6)"
		jq -e '.vms | all(.time.total == ([.time | .user, .supervisor, .machine, .pause, .monitor, .idle, .wait] | add)
			and .time.monitor == ([.traps[].cycles] | add))' "$work/one" >"$work/err" || fail "$mode, $fidelity: times do not add up"
	done
done

# --- Debian
debian
for mode in plain native nested trap; do
	limited 280 "$disco" run --mode $mode --exec 'uname -m; id -u; ls /usr/share | md5sum' --stats "$work/$mode.json" \
		</dev/null >"$work/out" 2>"$work/err" || fail "mode $mode: $(tail -n 5 "$work/err")"
	grep '^vm0|' "$work/out" >"$work/$mode.said"
	cmp -s "$work/plain.said" "$work/$mode.said" || fail "mode $mode says something else: $(cat "$work/$mode.said")"
	grep -q "^vCPUs' time, $mode:" "$work/out" || fail "mode $mode: no line of where time went"
	"$disco" stats --time --traps "$work/$mode.json" >"$work/$mode.txt" || fail "mode $mode: disco stats fails"
done
grep -q '^vm0| riscv64$' "$work/plain.said" || fail "the command did not run"
value() { # MODE EXPRESSION
	jq -r ".vms[0] | $2" "$work/$1.json"
}
[ "$(value native .time.monitor)" = 0 ] || fail "native has a monitor: $(value native .traps)"
[ "$(value plain '[.traps[].trapped // 0] | add')" = 0 ] || fail "something traps in mode plain"
[ "$(value trap '.traps.sret | .count == .trapped and .count > 1000')" = true ] || fail "sret does not trap in mode trap"
[ "$(value nested '.traps.sret.trapped')" = 0 ] || fail "sret traps in mode nested"
grep -q '^  sstatus ' "$work/trap.txt" || fail "disco stats does not show sstatus: $(cat "$work/trap.txt")"
grep -q 'every one is privileged, as Popek and Goldberg demand' "$work/trap.txt" || fail "not all sensitive instructions trap"
native=$(value native .time.total)
for mode in plain nested trap; do
	echo "mode $mode: $(value $mode "(.time.total / $native - 1) * 1000 | round / 10")% more than native, of its time the monitor has" \
		"$(value $mode '.time.monitor / .time.total * 1000 | round / 10')%"
done
[ "$(value trap .time.total)" -gt "$(value nested .time.total)" ] || fail "trap is not dearer than nested"

# --- the kernel's services: calls as many as were trapped on, less those that tasks ended in; all of the kernel's time is somewhere
for mode in plain native nested trap; do
	[ "$(value $mode '([.services | .open, .read, .write, .execve, .other_call | .count] | add) as $n | .traps.system_call.count |
		$n <= . and $n > 0.9 * .')" = true ] || fail "mode $mode: system calls: $(value $mode .services)"
	[ "$(value $mode '.services | .demand_zero.count > 100 and .quick_fault.count > 100 and .untraced == 0')" = true ] ||
		fail "mode $mode: page faults: $(value $mode .services)"
	[ "$(value $mode '(.time.supervisor + .time.monitor) as $t | .services.cycles / $t | . > 0.95 and . <= 1')" = true ] ||
		fail "mode $mode: the kernel's time: $(value $mode .services) of $(value $mode .time)"
done
"$disco" stats --services "$work/native.json" | grep -q '^demand zero fault ' || fail "disco stats does not show services"
finish
