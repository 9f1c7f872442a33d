# SPDX-License-Identifier: MIT
#
# One Debian VM under KVM boots, runs a command on its disk and on a scratch disk behind it, and powers off. Its output and its
# exit status arrive.
. /lab/lib.sh
run 200 --share boot,disk --memory 128M --disk 16M,scratch --exec 'uname -m; nproc; ls /usr/bin/gcc-14; dd if=/dev/vda bs=1M count=8 skip=32 2>/dev/null | md5sum
	tr -d "\0" </dev/vdb | wc -c; mke2fs -q /dev/vdb && mount /dev/vdb /mnt && seq 10000 >/mnt/file && umount /mnt &&
	mount /dev/vdb /mnt && md5sum </mnt/file; exit 3'
[ $status -eq 1 ] || { fail "a command that fails ends the run with status $status"; told; }
grep -q '^vm0  *[a-z]*  *3 ' /out/stdout || fail "the command did not exit with status 3"
[ "$(said vm0)" = "x86_64
1
/usr/bin/gcc-14
$(dd if=/dev/vda bs=1M count=8 skip=32 2>/dev/null | md5sum)
0
$(seq 10000 | md5sum)" ] || fail "the VM says '$(said vm0)'"
finish
