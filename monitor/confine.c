// SPDX-License-Identifier: MIT
/*
 * See confine.h. A list of what is denied, not of what is allowed: what the libraries call to
 * allocate memory, to start threads or to write files differs between their versions, and must not
 * end a run; what an intruder wants and the monitor never does is known.
 */
#include <errno.h>
#include <seccomp.h>
#include <string.h>

#include "monitor/confine.h"
#include "numa/util.h"

static const int denied[] = {
	/* running programs */
	SCMP_SYS(execve), SCMP_SYS(execveat),
/* other processes */
#ifndef __SANITIZE_ADDRESS__ /* whose search for leaks stops all threads by it */
	SCMP_SYS(ptrace),
#endif
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kcmp),
	/* other users, name spaces and roots */
	SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid),
	SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(capset),
	SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(chroot), SCMP_SYS(pivot_root),
	/* file systems */
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(mknod), SCMP_SYS(mknodat), SCMP_SYS(chown),
	SCMP_SYS(fchown), SCMP_SYS(lchown), SCMP_SYS(fchownat), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(swapon), SCMP_SYS(swapoff),
	/* the kernel */
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(bpf), SCMP_SYS(reboot),
	SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(keyctl), SCMP_SYS(iopl), SCMP_SYS(ioperm)};

int confine(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int err = filter ? 0 : -ENOMEM;

	/* The kernel's default for a new filter: no_new_privs is set with it. */
	for (size_t i = 0; !err && i < ARRAY_SIZE(denied); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
	if (!err)
		err = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return err ? complain(-err, "the monitor cannot confine itself: %s", strerror(-err)) : 0;
}
