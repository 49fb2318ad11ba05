/*
 * A statically linked program that tests put into a root filesystem to try single system calls: `probe NAME…` prints one
 * line per name, "NAME ok" or "NAME ERRNO". Calls are made raw, so that no libc fallback hides an outcome, and with
 * arguments that the kernel itself refuses after its permission checks wherever success would have consequences.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_fsopen
#define SYS_open_tree 428
#define SYS_fsopen 430
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

static long probe_mount(void) { return syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, 0); }
static long probe_umount(void) { return syscall(SYS_umount2, "/nowhere", 0); }
static long probe_pivot_root(void) { return syscall(SYS_pivot_root, "/nowhere", "/nowhere"); }
static long probe_chroot(void) { return syscall(SYS_chroot, "/"); }
static long probe_fsopen(void) { return syscall(SYS_fsopen, "nosuchfs", 0); }
static long probe_open_tree(void) { return syscall(SYS_open_tree, AT_FDCWD, "/nowhere", 1); }
static long probe_mount_setattr(void) { return syscall(SYS_mount_setattr, AT_FDCWD, "/nowhere", 0, 0, 0); }
static long probe_setns(void) { return syscall(SYS_setns, -1, CLONE_NEWUTS); }
static long probe_unshare_user(void) { return syscall(SYS_unshare, CLONE_NEWUSER); }
static long probe_unshare_mount(void) { return syscall(SYS_unshare, CLONE_NEWNS); }
static long probe_unshare_files(void) { return syscall(SYS_unshare, CLONE_FILES); }
static long probe_keyctl(void) { return syscall(SYS_keyctl, 0, -3, 0, 0, 0); }
static long probe_add_key(void) { return syscall(SYS_add_key, "user", "pycri", "x", 1, -3); }
/* The size of the attributes is checked before any capability: E2BIG when the call itself is let through. */
static long probe_bpf(void) { return syscall(SYS_bpf, 0, NULL, 1 << 30); }
static long probe_perf_event_open(void) { return syscall(SYS_perf_event_open, NULL, 0, -1, -1, -1UL); }
static long probe_userfaultfd(void) { return syscall(SYS_userfaultfd, -1); }
static long probe_io_uring_setup(void) { return syscall(SYS_io_uring_setup, 1, NULL); }
static long probe_process_vm_readv(void) { return syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 1UL); }
static long probe_process_vm_writev(void) { return syscall(SYS_process_vm_writev, getpid(), NULL, 0, NULL, 0, 1UL); }
static long probe_personality(void) { return syscall(SYS_personality, ADDR_NO_RANDOMIZE); }
static long probe_personality_query(void) { return syscall(SYS_personality, 0xffffffffUL); }
static long probe_tiocsti(void) { return syscall(SYS_ioctl, 0, TIOCSTI, "x"); }
/* The kernel looks at the low half of the command only; a filter that compares all of it can be walked past. */
static long probe_tiocsti_high_bits(void) { return syscall(SYS_ioctl, 0, TIOCSTI | 1UL << 32, "x"); }
static long probe_tioclinux(void) { return syscall(SYS_ioctl, 0, TIOCLINUX, "x"); }
static long probe_vsock(void) { return syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0); }
/* Likewise: the family is an int. */
static long probe_vsock_high_bits(void) { return syscall(SYS_socket, AF_VSOCK | 1UL << 32, SOCK_STREAM, 0); }
static long probe_sethostname(void) { return syscall(SYS_sethostname, "probe", 5); }
static long probe_nosuchcall(void) { return syscall(4000); }
static long probe_clone3(void) { return syscall(SYS_clone3, NULL, 0); }
static long probe_mknod(void) { return syscall(SYS_mknodat, AT_FDCWD, "/tmp/probe-device", S_IFCHR | 0666, 0x0103); }
static long probe_chown(void) { return syscall(SYS_fchownat, AT_FDCWD, "/tmp", 0, 0, 0); }
static long probe_settime(void) { return syscall(SYS_clock_settime, CLOCK_REALTIME, NULL); }
static long probe_swapon(void) { return syscall(SYS_swapon, "/nowhere", 0); }
static long probe_acct(void) { return syscall(SYS_acct, "/nowhere"); }
static long probe_syslog(void) { return syscall(SYS_syslog, 10, NULL, 0); }

static long probe_clone_user(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid;
}

static long probe_ptrace(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : errno);
	int status = 0;
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	return errno == 0 ? 0 : -1;
}

static long probe_ptrace_init(void) { return syscall(SYS_ptrace, PTRACE_SEIZE, 1, 0, 0); }

static long probe_dumpable(void) { return prctl(PR_GET_DUMPABLE) == 1 ? 0 : (errno = EPERM, -1); }

#ifdef __x86_64__
/* x32: the same table with bit 30 set. */
static long probe_x32_mount(void) { return syscall(0x40000000 | SYS_mount, "none", "/tmp", "tmpfs", 0, 0); }
/* i386 through int 0x80, where 21 is mount; arguments are below 4 GiB because they are null. */
static long probe_i386_mount(void)
{
	long result;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(21L), "b"(0L), "c"(0L), "d"(0L), "S"(0L), "D"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	if (result < 0) {
		errno = -(int)result;
		return -1;
	}
	return result;
}
#endif

#define PROBE(name) { #name, probe_##name }
static const struct {
	const char *name;
	long (*call)(void);
} probes[] = {
	PROBE(mount), PROBE(umount), PROBE(pivot_root), PROBE(chroot), PROBE(fsopen), PROBE(open_tree), PROBE(mount_setattr),
	PROBE(setns), PROBE(unshare_user), PROBE(unshare_mount), PROBE(unshare_files), PROBE(clone_user), PROBE(clone3),
	PROBE(keyctl), PROBE(add_key), PROBE(bpf), PROBE(perf_event_open), PROBE(userfaultfd), PROBE(io_uring_setup),
	PROBE(process_vm_readv), PROBE(process_vm_writev), PROBE(personality), PROBE(personality_query), PROBE(tiocsti),
	PROBE(tiocsti_high_bits), PROBE(tioclinux), PROBE(ptrace), PROBE(ptrace_init), PROBE(sethostname), PROBE(nosuchcall),
	PROBE(mknod), PROBE(chown), PROBE(settime), PROBE(swapon), PROBE(acct), PROBE(syslog), PROBE(dumpable),
	PROBE(vsock), PROBE(vsock_high_bits),
#ifdef __x86_64__
	PROBE(x32_mount), PROBE(i386_mount),
#endif
};

/* Every open descriptor with what it refers to; the directory that lists them is left out. */
static int list_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	if (directory == NULL)
		return 1;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		char target[4096];
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(directory))
			continue;
		ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
		if (length < 0)
			return 1;
		target[length] = '\0';
		printf("%s %s\n", entry->d_name, target);
	}
	return 0;
}

static int show_clocks(void)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME };
	for (size_t i = 0; i < 2; i++) {
		struct timespec now;
		if (clock_gettime(clocks[i], &now) != 0)
			return 1;
		printf("%lld\n", (long long)now.tv_sec);
	}
	return 0;
}

/* Leave a grandchild behind that ends after its parent, so that PID 1 has to reap it. */
static int orphan(void)
{
	int ready[2];
	if (pipe(ready) != 0)
		return 1;
	pid_t child = fork();
	if (child == 0) {
		pid_t grandchild = fork();
		if (grandchild == 0) {
			char byte;
			close(ready[1]);
			/* End of file comes when the parent has ended. */
			_exit(read(ready[0], &byte, 1) == 0 ? 0 : 1);
		}
		printf("%d\n", grandchild);
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	return 0;
}

static int open_for_writing(const char *name)
{
	int fd = open(name, O_RDWR | O_CLOEXEC);
	printf("%s\n", fd >= 0 ? "ok" : strerrorname_np(errno));
	return 0;
}

/* The classic way out of a chroot: a directory above the new root is still the working directory. */
static int escape(const char *path)
{
	mkdir("/tmp/jail", 0755);
	if (chroot("/tmp/jail") != 0) {
		printf("%s\n", strerrorname_np(errno));
		return 0;
	}
	for (int i = 0; i < 64; i++)
		if (chdir("..") != 0)
			return 1;
	if (chroot(".") != 0)
		return 1;
	printf("%s\n", access(path, F_OK) == 0 ? "reached" : "contained");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "escape") == 0)
		return escape(argv[2]);
	if (argc > 1 && strcmp(argv[1], "descriptors") == 0)
		return list_descriptors();
	if (argc > 1 && strcmp(argv[1], "clocks") == 0)
		return show_clocks();
	if (argc > 1 && strcmp(argv[1], "orphan") == 0)
		return orphan();
	if (argc > 2 && strcmp(argv[1], "open-for-writing") == 0)
		return open_for_writing(argv[2]);
	if (argc > 1 && strcmp(argv[1], "ids") == 0) {
		printf("%d %d\n", getuid(), geteuid());
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "raise") == 0) {
		raise(atoi(argv[2]));
		pause();
	}
	for (int i = 1; i < argc; i++) {
		size_t p = 0;
		while (p < sizeof probes / sizeof probes[0] && strcmp(probes[p].name, argv[i]) != 0)
			p++;
		if (p == sizeof probes / sizeof probes[0]) {
			fprintf(stderr, "probe: no probe %s\n", argv[i]);
			return 2;
		}
		errno = 0;
		long result = probes[p].call();
		printf("%s %s\n", argv[i], result >= 0 ? "ok" : strerrorname_np(errno));
		fflush(stdout);
	}
	return 0;
}
