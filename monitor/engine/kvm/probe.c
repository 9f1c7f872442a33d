// SPDX-License-Identifier: MIT
/*
 * Can this host run VMs? That /dev/kvm opens proves nothing: some machines offer one that interprets
 * kernels, a thousand times slower and not all of their instructions. So this asks the CPU first.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/engine/kvm/probe.h"
#include "monitor/vm/engine.h"
#include "numa/util.h"

static bool cpu_virtualizes(void)
{
	unsigned a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) && c & 1u << 5)
		return true;                                           /* vmx */
	return __get_cpuid(0x80000001, &a, &b, &c, &d) && c & 1u << 2; /* svm */
}

static int refuse(char *why, size_t n, int err, const char *text)
{
	snprintf(why, n, "%s", text);
	return -err;
}

static int open_kvm(struct kvm_host *h, char *why, size_t n)
{
	static const int needed[] = {KVM_CAP_IRQCHIP, KVM_CAP_USER_MEMORY, KVM_CAP_EXT_CPUID,
		KVM_CAP_SET_TSS_ADDR, KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_SYNC_MMU};
	int fd;

	if (!cpu_virtualizes())
		return refuse(why, n, ENODEV,
			"this CPU offers no hardware virtualization (its flags have neither vmx "
			"nor "
			"svm; in a virtual machine, its host must pass them on)");
	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return refuse(why, n, ENOENT,
			"there is no /dev/kvm: load the module kvm-intel or kvm-amd, or switch "
			"virtualization on in the firmware");
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return refuse(why, n, EACCES,
			"no permission to open /dev/kvm: become a member of its group (kvm)");
	if (fd < 0)
		return refuse(why, n, errno, "/dev/kvm cannot be opened");
	if (ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		close(fd);
		return refuse(why, n, ENOSYS, "/dev/kvm has another interface version than 12");
	}
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i]) <= 0) {
			close(fd);
			return refuse(why, n, ENOSYS,
				"the kernel's KVM is too old: Linux 5.19 is needed");
		}
	h->fd = fd;
	return 0;
}

static int open_uffd(struct kvm_host *h, char *why, size_t n)
{
	struct uffdio_api api = {.api = UFFD_API,
		.features = UFFD_FEATURE_THREAD_ID | UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			    UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_FEATURE_MINOR_SHMEM};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == EPERM) {
		int dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

		if (dev >= 0) {
			fd = ioctl(dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
			close(dev);
		}
		if (fd < 0)
			return refuse(why, n, EPERM,
				"no permission to handle page faults of KVM: be allowed to open "
				"/dev/userfaultfd, or set vm.unprivileged_userfaultfd=1");
	}
	if (fd < 0)
		return refuse(why, n, errno, "the kernel has no userfaultfd");
	if (ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return refuse(why, n, ENOSYS,
			"the kernel cannot protect shared memory by userfaultfd: Linux 5.19 is "
			"needed");
	}
	h->uffd = fd;
	return 0;
}

int kvm_probe(struct kvm_host *h, char *why, size_t n)
{
	int err = open_kvm(h, why, n);

	if (err)
		return err;
	err = open_uffd(h, why, n);
	if (err)
		kvm_unprobe(h);
	return err;
}

void kvm_unprobe(struct kvm_host *h)
{
	if (h->uffd >= 0)
		close(h->uffd);
	if (h->fd >= 0)
		close(h->fd);
	h->uffd = h->fd = -1;
}

bool kvm_possible(void)
{
	struct kvm_host h = {.fd = -1, .uffd = -1};
	char why[256];
	bool possible = !kvm_probe(&h, why, sizeof(why));

	kvm_unprobe(&h);
	return possible;
}
