#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The Debian guest: fetching it again changes nothing, its checksums are right, the root disk is a clean file system that holds
# a guest's files, owned by root, and the initramfs is an archive with the kernel's modules in loading order. Also: fetch
# refuses wrong arguments with one line and leaves nothing behind. Skipped when the guest is neither here nor to be had.
set -eu
cd "$(dirname "$0")/.."
fetch=guests/debian/fetch
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH=$PATH:/usr/sbin:/sbin

fail() { echo "FAIL: $*"; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }

for tool in debugfs e2fsck mke2fs cpio xz dpkg apt-get; do
	command -v $tool >/dev/null || skip "$tool is missing"
done
cc -O1 -o "$work/mkmark" guests/mark/mkmark.c
"$work/mkmark" >"$work/disco-mark"
for n in 1 2 3 4 16 1000 2047; do # slti x0, x0, n; jalr x0, 0(ra)
	code=$(printf '%02x%02x%02x%02x67800000' $((0x13)) $((0x20)) $((n % 16 * 16)) $((n / 16)))
	od -An -v -tx1 "$work/disco-mark" | tr -d ' \n' | grep -q "$code" || fail "disco-mark has no magic instruction $n"
done

# Each architecture's guest, in $work/ARCH its unpacked initrd.
for arch in riscv64 amd64; do
	# Only the want of a network excuses: any other failure to make the guest is one.
	if ! dir=$($fetch --arch "$arch" 2>"$work/log"); then
		grep -q -e 'is there a network?' -e 'download failed' "$work/log" && skip "no guest in the cache, and no network"
		cat "$work/log"
		fail "fetch failed"
	fi
	[ -d "$dir" ] || fail "fetch printed '$dir', which is no directory"

	# Again: the same path, nothing else said, nothing touched.
	ls -l --time-style=full-iso "$dir" >"$work/before"
	again=$($fetch --arch "$arch" 2>"$work/log")
	[ "$again" = "$dir" ] || fail "the second run printed '$again' instead of '$dir'"
	[ ! -s "$work/log" ] || fail "the second run had something to say: $(head -n 1 "$work/log")"
	ls -l --time-style=full-iso "$dir" | cmp -s - "$work/before" || fail "the second run changed $dir"

	# Kept apart from sha256sum's own check, so that an empty list does not pass.
	(cd "$dir" && sha256sum -c --quiet manifest) || fail "files differ from their checksums"
	for file in kernel initrd root.img; do
		grep -q "^[0-9a-f]\{64\}  $file\$" "$dir/manifest" || fail "$file has no checksum"
	done
	[ "$(cat "$dir/hash")" = "$(sha256sum <"$dir/manifest" | cut -c 1-16)" ] || fail "the hash is not of the checksums"

	# Pinned to its own packages it is the same guest; to another, it is not made, and that is the last line.
	list=$dir/packages.lock
	grep -q "^linux-image-[0-9][^ ]* [0-9][^ ]* $arch [0-9a-f]\{64\}\$" "$list" || fail "the list of packages does not name the kernel"
	again=$($fetch --arch "$arch" --pin "$list" 2>&1)
	[ "$again" = "$dir" ] || fail "pinned to its own packages, the guest is '$again'"
	again=$(DISCO_GUEST_PIN=$list $fetch --arch "$arch" 2>&1)
	[ "$again" = "$dir" ] || fail "with DISCO_GUEST_PIN the guest is '$again'"
	sed 's/^bash [^ ]*/bash 0.1-1/' "$list" >"$work/gone.lock"
	mkdir -p "$work/pinned/disco"
	ln -sfn "${dir%/*}/debs" "$work/pinned/disco/debs"
	if XDG_CACHE_HOME=$work/pinned $fetch --arch "$arch" --pin "$work/gone.lock" >"$work/out" 2>"$work/log"; then fail "bash 0.1 was found"; fi
	tail -n 1 "$work/log" | grep -q -e 'no longer has bash=0\.1-1 ' -e 'is there a network?' || fail "of what is gone: $(tail -n 1 "$work/log")"
	[ ! -s "$work/out" ] || fail "without bash there is a guest"

	# The kernel is a plain RISC-V Image: its header says so at byte 56; or a bzImage, which has it at byte 514.
	case $arch in
	riscv64) [ "$(tail -c +57 "$dir/kernel" | head -c 4)" = "$(printf 'RSC\005')" ] || fail "the kernel is not an Image" ;;
	amd64) [ "$(tail -c +515 "$dir/kernel" | head -c 4)" = HdrS ] || fail "the kernel is not a bzImage" ;;
	esac

	e2fsck -fn "$dir/root.img" >"$work/fsck" 2>&1 || fail "the root disk is not clean: $(tail -n 3 "$work/fsck")"
	in_image() { debugfs -R "$1" "$dir/root.img" 2>/dev/null; }
	for path in /usr/bin/dash /usr/bin/bash /usr/bin/gcc-14 /usr/bin/make /usr/bin/awk /usr/bin/md5sum /usr/bin/ping /usr/bin/ip /etc/passwd \
		/etc/fstab /proc /dev /sys /run /tmp /root /usr/include/stdio.h /usr/local/share/disco/pmake/Makefile; do
		in_image "stat $path" | grep -q '^Inode:' || fail "$path is not on the root disk"
	done
	for path in /usr/bin/su /root /usr/local/share/disco/pmake/main.c /usr/local/bin/disco-mark; do
		in_image "stat $path" | grep -q '^User: *0 *Group: *0 ' || fail "$path is not root's"
	done
	in_image 'stat /tmp' | grep -q 'Mode: *01777' || fail "/tmp has the wrong mode"
	in_image 'stat /bin' | grep -q '"usr/bin"' || fail "/bin is no link to usr/bin"
	for file in guests/workloads/pmake/* guests/workloads/numa/*.[ch] guests/workloads/net/*.c; do
		debugfs -R "cat /usr/local/share/disco/${file#guests/workloads/}" "$dir/root.img" 2>/dev/null | cmp -s - "$file" ||
			fail "$file on the root disk differs"
	done
	debugfs -R "cat /usr/local/include/disco-mark.h" "$dir/root.img" 2>/dev/null | cmp -s - guests/mark/disco-mark.h ||
		fail "disco-mark.h on the root disk differs"

	# disco-mark has one magic instruction for each number, beside a return. Without the simulator it does nothing.
	in_image 'stat /usr/local/bin/disco-mark' | grep -q 'Mode: *0755' || fail "disco-mark cannot be executed"
	debugfs -R "cat /usr/local/bin/disco-mark" "$dir/root.img" 2>/dev/null >"$work/on-disk"
	case $arch in
	riscv64) cmp -s "$work/on-disk" "$work/disco-mark" || fail "disco-mark differs" ;;
	amd64) sh "$work/on-disk" begin || fail "disco-mark fails" ;;
	esac

	mkdir "$work/$arch"
	(cd "$work/$arch" && cpio -i --quiet --no-absolute-filenames --no-preserve-owner <"$dir/initrd") || fail "the initrd does not unpack"
	[ -x "$work/$arch/init" ] || fail "the initrd has no /init"
	cmp -s "$work/$arch/init" guests/debian/init || fail "the initrd's /init is another"
	[ $(($(stat -c %s "$dir/initrd") % 512)) -eq 0 ] || fail "the initrd's size is no multiple of 512"
	ls "$work/$arch/lib/modules" | grep '\.ko$' | sort >"$work/modules"
	sort "$work/$arch/lib/modules/order" | cmp -s - "$work/modules" || fail "the modules and their order differ"
	# All that a module needs is loaded before it.
	loaded=' '
	while read -r module; do
		for needed in $(tr '\0' '\n' <"$work/$arch/lib/modules/$module" | sed -n 's/^depends=//p' | tr ',' ' '); do
			case $loaded in *" $needed "*) ;; *) fail "$module is loaded before $needed" ;; esac
		done
		loaded="$loaded${module%.ko} "
	done <"$work/$arch/lib/modules/order"
	[ "$(du -k "$dir/initrd" | cut -f 1)" -lt 6144 ] || fail "the initrd has grown beyond 6 MiB"
done

# kostrip: its output is loadable in form (readelf reads it without complaint), and a file that is no module is refused.
cc -O1 -o "$work/kostrip" guests/debian/kostrip.c
for bad in guests/debian/init /bin/sh /dev/null; do
	if "$work/kostrip" <$bad >"$work/out" 2>"$work/log"; then fail "kostrip took $bad"; fi
	[ "$(wc -l <"$work/log")" -eq 1 ] && [ ! -s "$work/out" ] || fail "kostrip was not clean about $bad"
done
module=$work/riscv64/lib/modules/ext4.ko
"$work/kostrip" <"$module" | cmp -s - "$module" || fail "kostrip finds more to strip in what it stripped"
head -c 100000 "$module" >"$work/cut.ko"
if "$work/kostrip" <"$work/cut.ko" >"$work/out" 2>"$work/log"; then fail "kostrip took half a module"; fi

refused()
{
	if XDG_CACHE_HOME=$work/cache "$@" >"$work/out" 2>"$work/log"; then fail "$* succeeded"; fi
	[ "$(wc -l <"$work/log")" -eq 1 ] || fail "$* did not say one line"
	[ ! -s "$work/out" ] || fail "$* printed a path"
	[ ! -e "$work/cache" ] || fail "$* left something behind"
}
refused $fetch --arch vax
refused env HOME= XDG_CACHE_HOME= $fetch
refused env -u HOME XDG_CACHE_HOME= $fetch
refused env -u HOME XDG_CACHE_HOME= guests/splashos/fetch radix
refused $fetch --pin
refused $fetch --pin "$work/nowhere"
list=$($fetch)/packages.lock
refused $fetch --arch amd64 --pin "$list"
sed 's/^bash /bash;x /' "$list" >"$work/bad.lock"
refused $fetch --pin "$work/bad.lock"
sed 's/^\(bash .*\)...$/\1/' "$list" >"$work/bad.lock"
refused env DISCO_GUEST_PIN="$work/bad.lock" $fetch
refused $fetch --arch
refused $fetch --whatever
