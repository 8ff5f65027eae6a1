/* A function's sandbox for tests: see sandbox.h. */
#include "tests/lib/sandbox.h"

#include "tests/lib/cgroup.h"
#include "tests/lib/harness.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

static char dir[64], image[96], dev[96], stage[96];

/* Allows everything: what is tested is that it is in force, and everything else without its help. */
static const struct pol_program filter = {.n_insns = 1,
					  .insns = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};

/* build/tests/probe: $TEST_PROBE where the tree has no absolute path, else beside this program's folder. */
static void find_probe(char path[PATH_MAX])
{
	const char *given = getenv("TEST_PROBE");
	ssize_t n;

	if (given) {
		snprintf(path, PATH_MAX, "%s", given);
		return;
	}
	n = readlink("/proc/self/exe", path, PATH_MAX - 16);
	ck_assert_int_gt(n, 0);
	path[n] = '\0';
	for (int i = 0; i < 2; i++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/probe");
}

static void copy_probe(void)
{
	_cleanup_fd_ int from = -1, to = -1;
	char path[PATH_MAX];
	struct stat st;

	find_probe(path);
	from = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_msg(from >= 0 && fstat(from, &st) == 0, "%s: %m", path);
	snprintf(path, sizeof(path), "%s/probe", image);
	to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ck_assert_msg(to >= 0 && sendfile(to, from, NULL, (size_t)st.st_size) == st.st_size, "%m");
}

static void make_image(void)
{
	static const struct {
		const char *name;
		mode_t mode;
	} dirs[] = {
		{"proc", 0555 },
                {"dev",  0755 },
                {"tmp",  01777},
                {"open", 0777 }
        };
	char path[PATH_MAX];

	ck_assert_int_eq(mkdir(image, 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", image, dirs[i].name);
		ck_assert_int_eq(mkdir(path, dirs[i].mode), 0);
		ck_assert_int_eq(chmod(path, dirs[i].mode), 0);
	}
	copy_probe();
}

static void make_dev(void)
{
	_cleanup_fd_ int fd = -1;
	struct err e = ERR_INIT;

	ck_assert_int_eq(mkdir(dev, 0755), 0);
	ck_assert_int_eq(mount("dev", dev, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755"), 0);
	ck_ok(file_open_dir(AT_FDCWD, dev, &fd, &e), &e);
	ck_ok(sbx_dev_fill(fd, &e), &e);
}

void sbt_open(void)
{
	ck_assert_msg(geteuid() == 0, "needs root");
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	harness_mkdir(dir);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	snprintf(image, sizeof(image), "%s/image", dir);
	snprintf(dev, sizeof(dev), "%s/dev", dir);
	snprintf(stage, sizeof(stage), "%s/stage", dir);
	ck_assert_int_eq(mkdir(stage, 0755), 0);
	make_image();
	make_dev();
}

void sbt_close(void)
{
	ck_assert_int_eq(umount2(dev, MNT_DETACH), 0);
	harness_rmdir(dir);
}

struct sbx_function sbt_function(void)
{
	return (struct sbx_function){
		.image_root = image,
		.dev_root = dev,
		.stage = stage,
		.uid_base = SBT_UID_BASE,
		.scratch_bytes = SBT_SCRATCH_BYTES,
		.filter = &filter,
	};
}

void sbt_start(struct sbt *s, int net_ns)
{
	struct sbx_place place = {.group = &cgt_group, .net_ns = net_ns};
	struct sbx_function f = sbt_function();
	struct err e = ERR_INIT;

	ck_ok(sbx_plan_for_function(&f, &s->plan, &e), &e);
	sbx_drop_for_function(&filter, &s->drop);
	ck_ok(sbx_start(s->plan, &place, &s->init, &e), &e);
}

static int reap(struct sbx_proc *p)
{
	struct cgt_child c = {.pid = p->pid, .pidfd = fd_steal(&p->pidfd)};

	return cgt_reap(&c);
}

void sbt_stop(struct sbt *s)
{
	struct err e = ERR_INIT;
	int status;

	ck_ok(cg_kill(&cgt_group, &e), &e);
	status = reap(&s->init);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_ok(cg_wait_empty(&cgt_group, clk_now_us() + CGT_PATIENCE_US, &e), &e);
	sbx_plan_free(s->plan);
}

struct sbx_proc sbt_enter(const struct sbt *s, const char *command, const char *path, int out)
{
	static const char *const env[] = {"PATH=/", NULL};
	const char *argv[] = {"/probe", command, path, NULL};
	_cleanup_fd_ int drop = memfd_create("drop", MFD_CLOEXEC);
	struct sbx_place place = {.group = &cgt_group, .net_ns = -1, .n_fds = 4};
	struct sbx_proc p = {.pid = -1, .pidfd = -1};
	struct err e = ERR_INIT;

	ck_assert_int_ge(drop, 0);
	ck_ok(file_write_all(drop, &s->drop, sizeof(s->drop), &e), &e);
	memcpy(place.fds, (const int[]){STDERR_FILENO, out, STDERR_FILENO, drop}, 4 * sizeof(int));
	ck_ok(sbx_enter(s->init.pidfd, &place, argv, env, &p, &e), &e);
	return p;
}

const char *sbt_probe(struct sbt *s, const char *command, const char *path)
{
	_cleanup_fd_ int out = memfd_create("out", MFD_CLOEXEC);
	struct sbx_proc p = sbt_enter(s, command, path, out);
	ssize_t n;

	s->status = reap(&p);
	n = pread(out, s->output, sizeof(s->output) - 1, 0);
	ck_assert_int_ge(n, 0);
	s->output[n] = '\0';
	return s->output;
}
