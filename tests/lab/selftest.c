// SPDX-License-Identifier: MIT
/*
 * selftest NODES: is the lab host what the lab's scripts take it for? Built on nothing of disco's,
 * so that a failing script can be told from a failing lab: there are NODES nodes with memory of
 * their own; /dev/kvm runs a VM, whose store is seen in memory on the node it was bound to; a page
 * of the VM moves to every other node and the VM goes on with it; userfaultfd does for shared
 * memory what the kvm engine needs.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 4 };

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "selftest: line %d: %s (%m)\n", __LINE__, #what);          \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static int node_of(void *page)
{
	int status = -1;

	CHECK(!syscall(SYS_move_pages, 0, 1ul, &page, NULL, &status, 0));
	return status;
}

/* Real mode at 0x1000: add 1 to the byte at 0x2000, tell port 0x10 the result, and again. */
static const uint8_t code[] = {
	0xfe, 0x06, 0x00, 0x20, /* incb 0x2000 */
	0xa0, 0x00, 0x20,       /* mov 0x2000, %al */
	0xe6, 0x10,             /* out %al, $0x10 */
	0xeb, 0xf5,             /* jmp to the start */
};

static void check_userfaultfd(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	CHECK(fd >= 0);
	CHECK(!ioctl(fd, UFFDIO_API, &api));
	CHECK(api.features & UFFD_FEATURE_MINOR_SHMEM);
	CHECK(api.features & UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
	close(fd);
}

int main(int argc, char **argv)
{
	int nodes = argc == 2 ? atoi(argv[1]) : 0;
	int memfd = memfd_create("selftest", MFD_CLOEXEC);
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;
	struct kvm_userspace_memory_region slot = {.memory_size = PAGES * PAGE};
	struct kvm_sregs sregs;
	struct kvm_regs regs = {.rip = 0x1000, .rflags = 2};
	struct kvm_run *run;
	uint8_t *memory;

	CHECK(nodes > 0);
	CHECK(memfd >= 0 && !ftruncate(memfd, PAGES * PAGE));
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	CHECK(memory != MAP_FAILED);
	for (int n = 0; n < nodes; n++) {
		unsigned long mask = 1ul << n;

		CHECK(!syscall(SYS_mbind, memory, (unsigned long)PAGE, MPOL_BIND, &mask,
			sizeof(mask) * 8, 0));
		memory[0] = 1;
		CHECK(node_of(memory) == n);
		CHECK(!madvise(memory, PAGE, MADV_REMOVE));
	}

	CHECK(kvm >= 0 && ioctl(kvm, KVM_GET_API_VERSION, 0) == KVM_API_VERSION);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	CHECK(vm >= 0);
	slot.userspace_addr = (uintptr_t)memory;
	CHECK(!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot));
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	CHECK(vcpu >= 0);
	run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		MAP_SHARED, vcpu, 0);
	CHECK(run != MAP_FAILED);
	CHECK(!ioctl(vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs.base = sregs.cs.selector = 0;
	CHECK(!ioctl(vcpu, KVM_SET_SREGS, &sregs));
	CHECK(!ioctl(vcpu, KVM_SET_REGS, &regs));
	memcpy(memory + 0x1000, code, sizeof(code));

	memory[0x2000] = 0;
	for (int n = 0; n < nodes; n++) {
		void *page = memory + 0x2000;
		int status = -1;

		CHECK(!syscall(SYS_move_pages, 0, 1ul, &page, &n, &status, MPOL_MF_MOVE));
		CHECK(status == n && node_of(page) == n);
		CHECK(!ioctl(vcpu, KVM_RUN, 0));
		CHECK(run->exit_reason == KVM_EXIT_IO && run->io.port == 0x10);
		CHECK(((uint8_t *)run)[run->io.data_offset] == n + 1 && memory[0x2000] == n + 1);
	}
	check_userfaultfd();
	return 0;
}
