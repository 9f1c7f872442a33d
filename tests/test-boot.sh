#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Systems that boot: Debian with one CPU, with eight, and eight times with its disk shared; Debian's OpenSBI and U-Boot, both in S-mode
# under the one and in M-mode, up to a prompt that answers; bare metal on all 128 CPUs of the largest machine. And sixteen VMs on
# eight CPUs get equal shares.
. "$(dirname "$0")/lib.sh"

# --- sixteen VMs on eight CPUs ---
bare spin
run 120 --machine flash8 --vms 16 --memory 16M --bios "$work/spin.elf" --virtual-timeout 0.5 --stats "$work/stats.json"
awk '/"instructions":/ { n++; v = $2 + 0; if (n == 1 || v < least) least = v; if (v > most) most = v; sum += v }
	END { exit !(n == 16 && most - least <= sum / 16 * 0.1 && sum > 0.95 * 8 * 0.5 * 400e6) }' "$work/stats.json" ||
	fail "16 VMs on 8 CPUs got $(awk '/"instructions":/ { printf "%s ", $2 }' "$work/stats.json")instructions"

# --- 128 CPUs ---
bare cpus
run_ok 60 --machine big64 --vcpus 128 --memory 16M --bios "$work/cpus.elf" --virtual-timeout 1

# --- U-Boot ---
# uboot NAME ARGUMENT...: boots to the prompt, has a command answered and powers off by another.
uboot() {
	local name=$1 waited=0
	shift
	mkfifo "$work/keys"
	timeout -k 5 120 "$disco" run --disk none --virtual-timeout 60 "$@" <"$work/keys" >"$work/out" 2>"$work/err" &
	local pid=$!
	exec 8>"$work/keys"
	await() { # TEXT
		until grep -aq "$1" "$work/out"; do
			sleep 0.2
			kill -0 $pid 2>/dev/null || return 1
			[ $((waited += 1)) -lt 550 ] || return 1
		done
	}
	await 'Hit any key' && printf ' ' >&8
	if await '^=> '; then
		printf 'echo sum $bootdelay ok\n' >&8
		await '^sum [0-9]* ok' || fail "$name: U-Boot does not answer"
		printf 'poweroff\n' >&8
	else
		fail "$name: no prompt"
	fi
	wait $pid
	status=$?
	exec 8>&-
	rm "$work/keys"
	[ $status -eq 0 ] || {
		fail "$name ends with status $status"
		tail -n 5 "$work/out" "$work/err"
	}
}
opensbi=/usr/lib/riscv64-linux-gnu/opensbi/generic
uboot=/usr/lib/u-boot
if [ -f $opensbi/fw_jump.elf ] && [ -f $uboot/qemu-riscv64_smode/uboot.elf ]; then
	uboot 'OpenSBI fw_jump and U-Boot' --bios $opensbi/fw_jump.elf --kernel $uboot/qemu-riscv64_smode/u-boot.bin
	grep -aq '^OpenSBI v' "$work/out" || fail "no banner of OpenSBI"
	uboot 'OpenSBI fw_dynamic and U-Boot on four harts' --vcpus 4 --bios $opensbi/fw_dynamic.bin \
		--kernel $uboot/qemu-riscv64_smode/uboot.elf
	uboot 'U-Boot in M-mode' --bios $uboot/qemu-riscv64/u-boot.bin
else
	echo "without Debian's opensbi and u-boot-qemu"
fi

# --- Debian ---
debian
run_ok 280 --memory 96M --exec 'uname -m; nproc'
[ "$(said vm0)" = $'riscv64\n1' ] || fail "1 VM with 1 CPU says '$(said vm0)'"

# Each CPU runs a task bound to it, all at once; each must come to its own result.
run_ok 280 --vcpus 8 --stats "$work/stats.json" --exec 'nproc; for i in 0 1 2 3 4 5 6 7; do
	taskset -c $i sh -c "n=0; while [ \$n -lt 20000 ]; do n=\$((n + 1)); done; cut -d\" \" -f39 /proc/self/stat" & done; wait'
[ "$(said vm0 | sort)" = "$(printf '%s\n' 0 1 2 3 4 5 6 7 8)" ] || fail "1 VM with 8 CPUs says '$(said vm0 | tr '\n' ' ')'"
[ "$(awk '/"instructions":/ && $2 + 0 > 3e6' "$work/stats.json" | wc -l)" -eq 8 ] || fail "not all eight CPUs worked"

# Eight VMs read the disk they share: all see the same, in one copy (not quite what the host has: each has mounted it); and each
# finds the next by name.
run_ok 280 --machine flash8 --vms 8 --memory 128M --guest debian --stats "$work/stats.json" --exec \
	'dd if=/dev/vda bs=1M count=16 2>/dev/null | md5sum; n=$(hostname); n=vm$(((${n#vm} + 1) % 8))
	ping -q -c 3 -i 0.1 -W 5 $n | sed -n "s/.* \([0-9]*\) received.*/$n \1/p"'
sum=$(said vm0 | head -n 1)
[[ $sum =~ ^[0-9a-f]{32}\ \ -$ ]] || fail "vm0 of 8 has no sum: '$sum'"
for i in 0 1 2 3 4 5 6 7; do
	[ "$(said vm$i)" = "$sum"$'\n'"vm$(((i + 1) % 8)) 3" ] || fail "vm$i of 8 says '$(said vm$i | tr '\n' ' ')', not '$sum'"
done
# The sixteen megabytes are in memory once: 4096 blocks and the other blocks read, far from eight times.
awk '/"event": "done"/ { at = 1 } at && /"cache":/ { exit !(++n == 1 && $2 + 0 >= 16 * 1048576) }' "$work/stats.json" ||
	fail "the buffer cache does not hold what was read"
finish
