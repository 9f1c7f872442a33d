// SPDX-License-Identifier: MIT
/*
 * Magic numbers of files that are given as disks by mistake; see format.h. Each is from its format's
 * own document, as file(1) has them.
 */
#include <string.h>

#include "numa/util.h"
#include "sharing/format.h"

#define CONVERT "qemu-img convert -O raw FILE disk.img"

static const struct magic {
	size_t at, bytes;
	const char *text;
	struct disk_format format;
} magics[] = {
	{0, 4, "QFI\xfb", {"a qcow2 image", CONVERT, false}},
	{0, 4, "QED", {"a QED image", CONVERT, false}},
	{0, 4, "KDMV", {"a VMDK image", CONVERT, false}},
	{0, 21, "# Disk DescriptorFile", {"the description of a VMDK image", CONVERT, false}},
	{0, 8, "vhdxfile", {"a VHDX image", CONVERT, false}},
	{0, 8, "conectix", {"a VHD image", CONVERT, false}},
	{64, 4, "\x7f\x10\xda\xbe", {"a VDI image", CONVERT, false}},
	{0, 2, "\x1f\x8b", {"a gzip file", "gunzip FILE", true}},
	{0, 6,
		"\xfd"
		"7zXZ",
		{"an xz file", "unxz FILE", true}},
	{0, 4, "\x28\xb5\x2f\xfd", {"a zstd file", "unzstd FILE", true}},
	{0, 3, "BZh", {"a bzip2 file", "bunzip2 FILE", true}},
	{0, 4, "\x04\x22\x4d\x18", {"an lz4 file", "unlz4 FILE", true}},
	{0, 4, "PK\x03\x04", {"a zip file", "unzip FILE", true}},
	{0, 6, "7z\xbc\xaf\x27\x1c", {"a 7-Zip file", "7z x FILE", true}},
	{257, 5, "ustar",
		{"a tar archive", "mkdir d && tar -xf FILE -C d && mke2fs -t ext4 -d d disk.img 1G",
			true}},
	{0, 5, "07070",
		{"a cpio archive",
			"mkdir d && cd d && cpio -id <FILE, and mke2fs -t ext4 -d d disk.img 1G",
			true}},
};

const struct disk_format *disk_format(const void *head, size_t bytes)
{
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		const struct magic *m = &magics[i];

		if (bytes >= m->at + m->bytes &&
			!memcmp((const char *)head + m->at, m->text, m->bytes))
			return &m->format;
	}
	return NULL;
}
