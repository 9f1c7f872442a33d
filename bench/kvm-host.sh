# SPDX-License-Identifier: MIT
#
# kvm-host.sh: disco's VMs beside QEMU's microvm, under the same KVM, in turn. Runs where KVM is: on this host, or on the lab's
# (bench/kvm.sh), hence for busybox's shell. Prints lines of the form `figure NAME disco VALUE qemu VALUE UNIT[, ratio RATIO]`:
# medians, and the median of the pairs' ratios.
#   GUEST=DIR   the amd64 guest    PROGRAMS=DIR   with exits and move-pages, static, and guest.bz, the lab's guest    PAIRS=N
#   WORK=DIR    to work in         MB=N           MB that VMs read of their disk
set -u
guest=${GUEST:-/lab/guest} programs=${PROGRAMS:-/lab/programs} pairs=${PAIRS:-3} work=${WORK:-/tmp/kvm} mb=${MB:-48}
mkdir -p "$work"
export TMPDIR=$work TERM=dumb

# Hundredths of a second.
now() {
	read -r up _ </proc/uptime
	echo "${up%.*}${up#*.}"
}
median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
# Of the runs in $work/d and $work/q, pair by pair.
figure() { # NAME PEER UNIT
	ratio=$(awk 'NR == FNR { d[FNR] = $1; next } { printf "%.2f\n", d[FNR] / $1 }' "$work/d" "$work/q" | median)
	echo "figure $1 disco $(median <"$work/d") $2 $(median <"$work/q") $3, ratio $ratio"
}
free_kb() {
	awk '/^MemFree/ { print $2 }' /proc/meminfo
}
fail() {
	echo "FAIL: $*"
	exit 1
}
wait_for() { # N TEXT FILE...
	waited=0
	n=$1 text=$2
	shift 2
	until [ "$(cat "$@" 2>/dev/null | grep -c "$text")" -ge "$n" ]; do
		sleep 1
		kill -0 $! 2>/dev/null || fail "a process ends before it is through: $(tail -n 5 "$@")"
		[ $((waited += 1)) -lt 600 ] || fail "'$text' does not come $n times: $(tail -n 5 "$@")"
	done
}

# The guest's init with a command to run, for QEMU; disco makes this itself.
command_for_qemu() { # COMMAND
	rm -rf "$work/tree"
	mkdir -p "$work/tree/disco"
	echo "$1" >"$work/tree/disco/exec"
	cat "$guest/initrd" >"$work/initrd"
	(cd "$work/tree" && find . | cpio -o -H newc 2>/dev/null) >>"$work/initrd"
}
qemu() { # LOG [ARGUMENT...]
	log=$1
	shift
	qemu-system-x86_64 -M microvm,rtc=on -accel kvm -cpu host -m 128 -smp 1 -nodefaults -no-user-config -display none -no-reboot \
		-serial "file:$log" -kernel "$guest/kernel" -initrd "$work/initrd" -append 'console=ttyS0 quiet panic=-1 cryptomgr.notests init_on_alloc=0' \
		-drive "if=none,id=root,format=raw,snapshot=on,file=$guest/root.img" -device virtio-blk-device,drive=root "$@" </dev/null
}
# Without the search for identical pages, as QEMU's VMs are without the host's.
disco_run() { # ARGUMENT...
	disco run --engine kvm --guest debian --memory 128M --no-net --share boot,disk "$@" </dev/null >"$work/disco.out" 2>"$work/disco.err"
}

# From the start of the process to its end: boot, a command, power-off. QEMU asks for huge pages by itself.
boot() { # [FIGURE ARGUMENT...]
	name=${1:-boot}
	[ $# -eq 0 ] || shift
	command_for_qemu 'echo it is up'
	: >"$work/d" && : >"$work/q"
	for pair in $(seq "$pairs"); do
		t=$(now)
		disco_run --exec 'echo it is up' "$@" && grep -q 'it is up' "$work/disco.out" || fail "disco: $(tail -n 5 "$work/disco.err")"
		echo $(($(now) - t)) >>"$work/d"
		t=$(now)
		qemu "$work/log" && grep -q 'it is up' "$work/log" || fail "qemu: $(tail -n 5 "$work/log")"
		echo $(($(now) - t)) >>"$work/q"
	done
	figure "$name" qemu '1/100 s'
}
# The same with huge pages for disco's VM, which only root can allow.
boot_huge() {
	lent=/sys/kernel/mm/transparent_hugepage/shmem_enabled
	{ echo advise >$lent; } 2>/dev/null || grep -q '\[advise\]' $lent || { echo "no huge pages for shared memory, and no right to allow them"; return; }
	boot boot-huge --huge-pages
}

exit_cost() {
	dd if="$programs/exits" of="$work/exits.img" bs=1M conv=sync 2>/dev/null
	run='dd if=/dev/vdb of=/tmp/exits bs=1M 2>/dev/null; chmod 755 /tmp/exits; /tmp/exits 5000'
	command_for_qemu "$run"
	: >"$work/d" && : >"$work/q"
	for pair in $(seq "$pairs"); do
		disco_run --disk "$guest/root.img" --disk "$work/exits.img,ro" --exec "$run" || fail "disco: $(tail -n 5 "$work/disco.err")"
		sed -n 's/.*exit \([0-9]*\) ns.*/\1/p' "$work/disco.out" >>"$work/d"
		qemu "$work/log" -drive "if=none,id=two,format=raw,readonly=on,file=$work/exits.img" -device virtio-blk-device,drive=two ||
			fail "qemu: $(tail -n 5 "$work/log")"
		sed -n 's/.*exit \([0-9]*\) ns.*/\1/p' "$work/log" >>"$work/q"
	done
	figure exit qemu ns
}

# A doorbell and an interrupt: reads of one sector, each of which waits for the last, by both in an I/O thread that ioeventfd wakes.
doorbell() {
	run='read a b </proc/uptime; dd if=/dev/vda of=/dev/null bs=512 count=1000 skip=32768 iflag=direct 2>/dev/null; read c b </proc/uptime
		echo "rang in $(echo "$a $c" | awk "{ print int((\$2 - \$1) * 1000) }") us"'
	command_for_qemu "$run"
	: >"$work/d" && : >"$work/q"
	for pair in $(seq "$pairs"); do
		disco_run --exec "$run" || fail "disco: $(tail -n 5 "$work/disco.err")"
		sed -n 's/.*rang in \([0-9]*\) us.*/\1/p' "$work/disco.out" >>"$work/d"
		qemu "$work/log" || fail "qemu: $(tail -n 5 "$work/log")"
		sed -n 's/.*rang in \([0-9]*\) us.*/\1/p' "$work/log" >>"$work/q"
	done
	figure doorbell qemu us
}

# A page that moves to another node while its guest stores to it: the time that the monitor holds its lock, less that time where no page
# moves. Beside it move_pages(2), for as many pages of shared memory that a process stores to.
moves() {
	: >"$work/d" && : >"$work/q"
	for pair in $(seq "$pairs"); do
		for policy in first-touch shuffle,copies=0,pages=20,rate=300; do
			disco run --engine kvm --kernel "$programs/guest.bz" --append 'write pages=1024 seconds=15' --disk none --no-net --memory 64M \
				--policy $policy --stats "$work/$policy.json" </dev/null >"$work/disco.out" 2>"$work/disco.err" ||
				fail "disco: $(tail -n 5 "$work/disco.err")"
		done
		cat "$work/first-touch.json" "$work/shuffle,copies=0,pages=20,rate=300.json" | awk '$1 == "\"lock_seconds\":" { held[++n] = $2 + 0 }
			$1 == "\"migrations\":" && n < 2 { moved = $2 + 0 } END { if (moved) print int((held[2] - held[1]) * 1e9 / moved) }' >>"$work/d"
		"$programs/move-pages" 1024 >>"$work/q" || fail "move-pages"
	done
	figure move move_pages ns
}

# Four VMs read the same MB megabytes of their disk, which the first has to fetch. Then the memory that all of it takes, with the page cache,
# and after the page cache has been dropped.
disk() {
	run='read a b </proc/uptime; dd if=/dev/vda of=/dev/null bs=1M count=MB skip=8 2>/dev/null; read c b </proc/uptime
		echo "read in $(echo "$a $c" | awk "{ print int((\$2 - \$1) * 100) }") cs"; sleep 1000'
	run=$(echo "$run" | sed "s/=MB /=$mb /")
	command_for_qemu "$run"
	for side in disco qemu; do
		sync
		echo 3 >/proc/sys/vm/drop_caches
		before=$(free_kb)
		rm -f "$work"/log[0-3] "$work/disco.out"
		if [ $side = disco ]; then
			disco_run --vms 4 --exec "$run" &
			wait_for 4 'read in' "$work/disco.out"
			pids=$(pidof disco)
			cat "$work/disco.out" >"$work/all"
		else
			for vm in 0 1 2 3; do
				qemu "$work/log$vm" &
			done
			wait_for 4 'read in' "$work/log0" "$work/log1" "$work/log2" "$work/log3"
			pids=$(pidof qemu-system-x86_64)
			cat "$work"/log[0-3] >"$work/all"
		fi
		sleep 2
		eval "with_$side=$(((before - $(free_kb)) / 1024))"
		echo 1 >/proc/sys/vm/drop_caches
		sleep 1
		eval "kept_$side=$(((before - $(free_kb)) / 1024))"
		eval "time_$side=$(sed -n 's/.*read in \([0-9]*\) cs.*/\1/p' "$work/all" | median)"
		# Both have the VMs' memory in mappings of their own: disco in shared ones, QEMU in one of its size.
		for pid in $pids; do
			awk '/^Size:/ { guest = $2 == 131072 } /^Anonymous:/ && !guest { kb += $2 } END { print kb }' "/proc/$pid/smaps"
			awk '/^VmPTE:/ { print $2 }' "/proc/$pid/status"
		done >"$work/own"
		eval "own_$side=$(awk '{ kb += $1 } END { print int(kb / 4) }' "$work/own")"
		kill $pids
		wait
	done
	echo "what VMs read: $mb MB"
	echo "figure disk-read disco $time_disco qemu $time_qemu 1/100 s"
	echo "figure memory-with-page-cache disco $with_disco qemu $with_qemu MB"
	echo "figure memory disco $kept_disco qemu $kept_qemu MB"
	echo "figure monitor-of-a-vm disco $own_disco qemu $own_qemu kB"
}

for what in ${WHAT:-boot boot_huge exit_cost doorbell moves disk}; do
	$what
done
