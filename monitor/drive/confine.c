// SPDX-License-Identifier: MIT
/*
 * See confine.h. A run needs a short list from now on: its open files, memory, threads, time, and
 * files to read. It is what the engines, glibc and the libraries we link do. Any other call (a
 * newer kernel's better way of doing a thing, say) fails as on a kernel that does not have it, and
 * they take the older way.
 *
 * seccomp sees the arguments of a call, but not a path that one points to. Landlock limits the
 * paths.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "monitor/drive/confine.h"
#include "numa/util.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { NOBODY = 65534, LOWEST_USER = 1 };

static const int allowed[] = {
	/* files that are open */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(fstat),
	SCMP_SYS(getdents64),
	SCMP_SYS(dup),
	/* files by path, to read */
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	/* the socket of `disco console` */
	SCMP_SYS(accept4),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(shutdown),
	/* memory */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(mincore),
	SCMP_SYS(mbind),
	SCMP_SYS(get_mempolicy),
	SCMP_SYS(set_mempolicy),
	SCMP_SYS(membarrier),
	/* threads and signals */
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_yield),
	SCMP_SYS(getcpu),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler),
	/* waiting, and time */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe2),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrusage),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(getrandom),
#ifdef SANITIZED
	/* the search for leaks stops all threads from a process of its own */
	SCMP_SYS(ptrace),
	SCMP_SYS(wait4),
	SCMP_SYS(getppid),
	SCMP_SYS(getdents),
	SCMP_SYS(prlimit64),
#endif
};

/* Calls that are allowed when the bits `mask` of an argument are `value`. */
static const struct {
	int call;
	unsigned arg;
	uint64_t mask, value;
} allowed_if[] = {
	/* only to read */
	{SCMP_SYS(open), 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY},
	{SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY},
	/* memory from which nothing is executed; threads, but no processes */
	{SCMP_SYS(mmap), 2, PROT_EXEC, 0},
	{SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
	{SCMP_SYS(clone), 0, CLONE_VM | CLONE_THREAD, CLONE_VM | CLONE_THREAD},
	{SCMP_SYS(prctl), 0, UINT64_MAX, PR_SET_NAME},
	{SCMP_SYS(prlimit64), 2, UINT64_MAX, 0}, /* to ask */
	/* of descriptors, what sends no signal: not F_SETOWN, F_SETSIG, F_SETLEASE, F_NOTIFY */
	{SCMP_SYS(fcntl), 1, UINT32_MAX, F_DUPFD},
	{SCMP_SYS(fcntl), 1, UINT32_MAX, F_DUPFD_CLOEXEC},
	{SCMP_SYS(fcntl), 1, UINT32_MAX, F_GETFD},
	{SCMP_SYS(fcntl), 1, UINT32_MAX, F_SETFD},
	{SCMP_SYS(fcntl), 1, UINT32_MAX, F_GETFL},
#ifdef SANITIZED
	/* that process has all memory of the monitor */
	{SCMP_SYS(clone), 0, CLONE_VM | CLONE_UNTRACED, CLONE_VM | CLONE_UNTRACED},
	{SCMP_SYS(prctl), 0, UINT64_MAX, PR_GET_DUMPABLE},
	{SCMP_SYS(prctl), 0, UINT64_MAX, PR_SET_DUMPABLE},
	{SCMP_SYS(prctl), 0, UINT64_MAX, PR_SET_PTRACER},
#endif
	/* KVM, userfaultfd, perf; of terminals their modes, not typing on them for the user */
	{SCMP_SYS(ioctl), 1, 0xff00, 0xae00},
	{SCMP_SYS(ioctl), 1, 0xff00, 0xaa00},
	{SCMP_SYS(ioctl), 1, 0xff00, 0x2400},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TCGETS},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TCSETS},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TCSETSW},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TCSETSF},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TIOCGWINSZ},
};

/* What libslirp does for the gateway (sharing/gateway.h), beside what is allowed to all. */
static const int allowed_outside[] = {
	SCMP_SYS(connect),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
};

static int allow_outside(scmp_filter_ctx filter)
{
	int err = seccomp_rule_add(
		filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0_64(SCMP_CMP_EQ, AF_INET, 0));

	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, FIONREAD));
	for (size_t i = 0; !err && i < ARRAY_SIZE(allowed_outside); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_outside[i], 0);
	return err;
}

/* Calls whose arguments are allowed together. */
static int allow_pairs(scmp_filter_ctx filter, int dir)
{
	int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 2,
		SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, F_SETFL),
		SCMP_A2_64(SCMP_CMP_MASKED_EQ, O_ASYNC, 0));

	if (!err && dir >= 0)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(unlinkat), 2,
			SCMP_A0_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint64_t)dir),
			SCMP_A2_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, 0));
	if (!err) /* to oneself: abort() */
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			SCMP_A0_64(SCMP_CMP_EQ, (uint64_t)getpid(), 0));
	return err;
}

static int filter_calls(const struct confinement *c)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int err = filter ? 0 : -ENOMEM;

	/* libseccomp's default for a new filter: no_new_privs is set with it. */
	for (size_t i = 0; !err && i < ARRAY_SIZE(allowed); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; !err && i < ARRAY_SIZE(allowed_if); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_if[i].call, 1,
			SCMP_CMP64(allowed_if[i].arg, SCMP_CMP_MASKED_EQ, allowed_if[i].mask,
				allowed_if[i].value));
	if (!err && c->outside)
		err = allow_outside(filter);
	if (!err)
		err = allow_pairs(filter, c->dir);
	if (!err)
		err = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return err ? complain(-err, "the monitor cannot confine itself: %s", strerror(-err)) : 0;
}

/* The number in an environment variable of sudo; else that of the user `nobody`. */
static unsigned number(const char *name)
{
	const char *text = getenv(name);
	unsigned long n = text ? strtoul(text, NULL, 10) : 0;

	return n >= LOWEST_USER && n < UINT32_MAX ? (unsigned)n : NOBODY;
}

/* Keep those of `low` that the process has: a root of a container may have few. */
static int keep_capabilities(uint32_t low)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data))
		return -errno;
	low &= data[0].permitted;
	memset(data, 0, sizeof(data));
	data[0].effective = data[0].permitted = low;
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

static int stop_being_root(bool read_all)
{
	unsigned uid = number("SUDO_UID"), gid = number("SUDO_GID");

	if (geteuid())
		return 0;
	if (prctl(PR_SET_KEEPCAPS, read_all) || setgroups(0, NULL) || setresgid(gid, gid, gid) ||
		setresuid(uid, uid, uid) ||
		keep_capabilities(read_all ? 1u << CAP_DAC_READ_SEARCH : 0))
		return complain(errno, "root's privileges cannot be dropped for user %u: %s", uid,
			strerror(errno));
	return 0;
}

/* ---- files by path */

enum {
	READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	ALL_OF_LINUX_5_13 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
};

/* glibc reads the first to count CPUs; KVM's threads and the sanitizers are in the second. */
static const char *const always_read[] = {"/sys/devices/system/cpu", "/proc/self", NULL};
/* libslirp follows changes of the first. */
static const char *const outside_read[] = {"/etc/resolv.conf", NULL};

static int allow_beneath(int ruleset, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};

	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0)
		       ? -errno
		       : 0;
}

/* Descriptors stay open: /proc makes a directory anew once its last user is gone, and the rule
 * would not be for the new one. */
static int allow_read(int ruleset, const char *const *path)
{
	int err = 0;

	for (; *path && !err; path++) {
		int fd = open(*path, O_PATH | O_CLOEXEC);
		struct stat st;

		if (fd >= 0 && !fstat(fd, &st))
			err = allow_beneath(ruleset, fd,
				S_ISDIR(st.st_mode) ? READ : LANDLOCK_ACCESS_FS_READ_FILE);
	}
	return err;
}

/* Make rules for the paths of `c`; *ruleset is -1 if the kernel has no Landlock. 0, or a negative
 * errno. */
static int make_rules(const struct confinement *c, int *ruleset)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = ALL_OF_LINUX_5_13};
	int err = 0;

	*ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (*ruleset < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	err = allow_read(*ruleset, always_read);
	if (!err && c->read)
		err = allow_read(*ruleset, c->read);
	if (!err && c->outside)
		err = allow_read(*ruleset, outside_read);
	if (!err && c->dir >= 0)
		err = allow_beneath(*ruleset, c->dir, LANDLOCK_ACCESS_FS_REMOVE_FILE);
	return err;
}

static int filter_paths(int ruleset)
{
	if (ruleset < 0)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		syscall(SYS_landlock_restrict_self, ruleset, 0))
		return complain(
			errno, "the monitor cannot confine itself: Landlock: %s", strerror(errno));
	close(ruleset);
	return 0;
}

int confine(const struct confinement *c)
{
	int ruleset, err = make_rules(c, &ruleset);

	if (err)
		return complain(
			-err, "the monitor cannot confine itself: Landlock: %s", strerror(-err));
	err = stop_being_root(c->read_all);
	if (!err)
		err = filter_paths(ruleset);
	return err ? err : filter_calls(c);
}
