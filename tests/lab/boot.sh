# SPDX-License-Identifier: MIT
#
# One Debian VM under KVM boots, runs a command on its disk and powers off; what it printed and how it ended arrive.
. /lab/lib.sh
run 200 --share boot,disk --memory 128M --exec 'uname -m; nproc; ls /usr/bin/gcc-14; dd if=/dev/vda bs=1M count=8 skip=32 2>/dev/null | md5sum; exit 3'
[ $status -eq 1 ] || { fail "a command that fails ends the run with status $status"; told; }
grep -q '^vm0  *[a-z]*  *3 ' /out/stdout || fail "the command did not exit with status 3"
[ "$(said vm0)" = "x86_64
1
/usr/bin/gcc-14
$(dd if=/dev/vda bs=1M count=8 skip=32 2>/dev/null | md5sum)" ] || fail "the VM says '$(said vm0)'"
finish
