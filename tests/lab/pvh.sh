# SPDX-License-Identifier: MIT
#
# An ELF kernel boots by its PVH note: the one that Debian's bzImage has in it, in two VMs. Its pages are one copy in the machine, but for
# those that Linux patches. A file that is no ELF kernel is refused in one line.
. /lab/lib.sh
kernel=/lab/guest/kernel
# Where the packed kernel is, and its length with four bytes that say what it unpacks to (Linux: Documentation/arch/x86/boot.rst).
sectors=$(od -A n -t u1 -j $((0x1f1)) -N 1 $kernel)
set -- $(od -A n -t u4 -j $((0x248)) -N 8 $kernel)
tail -c +$(((sectors + 1) * 512 + $1 + 1)) $kernel | head -c $(($2 - 4)) | zstd -q -d >/tmp/vmlinux || fail "Debian's kernel is not packed by zstd any more"
run_ok 300 --kernel /tmp/vmlinux --share boot,disk --vms 2 --memory 160M --exec 'uname -srm; cat /proc/cmdline; grep -c . /proc/iomem' --stats /out/s.json
[ "$(said vm0 | head -n 1)" = "$(said vm1 | head -n 1)" ] && said vm0 | grep -q '^Linux .* x86_64$' || fail "the VMs say '$(said vm0)' and '$(said vm1)'"
said vm0 | grep -q console= || fail "the kernel has no command line"
text=$(at_done machine_bytes text)
[ "$text" -gt 20000000 ] || fail "of the kernel, $text bytes are in the machine as they were loaded, for both VMs"
echo "text: $text bytes in the machine, $(at_done virtual_bytes text) in the VMs"

for file in /lab/bin/disco /dev/null; do
	disco run $debian --kernel $file --exec true >/out/stdout 2>/out/stderr
	status=$?
	[ $status -eq 2 ] && [ "$(wc -l </out/stderr)" -eq 1 ] || fail "$file as a kernel: status $status, and it says: $(cat /out/stderr)"
	cat /out/stderr
done
finish
