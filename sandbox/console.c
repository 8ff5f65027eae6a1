/* Terminals of containers: see console.h. */
#include "sandbox/console.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "sandbox/mount.h"
#include "sandbox/sys.h"

/* Major numbers of pty slaves: UNIX98_PTY_SLAVE_MAJOR and the seven after it. */
#define SLAVE_MAJOR_FIRST 136
#define SLAVE_MAJOR_LAST  143
#define PTMX_MAJOR        5
#define PTMX_MINOR        2

/* As runc calls it: some receivers want a name, none uses it. */
static const char payload[] = "/dev/ptmx";

static int check_devpts(int fd, struct err *e)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return err_errno(e, "statfs");
	return fs.f_type == DEVPTS_SUPER_MAGIC ? 0 : err_set(e, ENODEV, "not on a devpts");
}

static int check_device(int fd, unsigned int first, unsigned int last, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(e, "stat");
	if (!S_ISCHR(st.st_mode) || major(st.st_rdev) < first || major(st.st_rdev) > last)
		return err_set(e, ENODEV, "not a terminal of its own");
	return 0;
}

/*
 * ptmx of the instance itself, not whatever lies over it: a devpts holds nothing but ptmx and slaves, so
 * nothing else can be opened here by mistake.
 */
static int open_master(int root, int *ret, struct err *e)
{
	struct open_how how = {
		.flags = O_RDWR | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	_cleanup_fd_ int pts = sys_open_in_root(root, "dev/pts", O_PATH | O_DIRECTORY), master = -1;
	struct stat st;

	if (pts < 0)
		return err_errno(e, "'/dev/pts'");
	if (check_devpts(pts, e) < 0)
		return err_wrap(e, "'/dev/pts'");
	master = (int)syscall(SYS_openat2, pts, "ptmx", &how, sizeof(how));
	if (master < 0 || fstat(master, &st) < 0)
		return err_errno(e, "'/dev/pts/ptmx'");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(PTMX_MAJOR, PTMX_MINOR))
		return err_set(e, ENODEV, "'/dev/pts/ptmx': not the terminal multiplexer");
	*ret = fd_steal(&master);
	return 0;
}

static int open_slave(int master, int *ret, struct err *e)
{
	_cleanup_fd_ int slave = -1;
	int unlocked = 0;

	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return err_errno(e, "unlock the terminal");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_errno(e, "open the terminal");
	if (check_devpts(slave, e) < 0 ||
	    check_device(slave, SLAVE_MAJOR_FIRST, SLAVE_MAJOR_LAST, e) < 0)
		return err_wrap(e, "terminal");
	*ret = fd_steal(&slave);
	return 0;
}

int console_open(int root, const struct sbx_terminal *t, int *ret_master, int *ret_slave,
		 struct err *e)
{
	struct winsize size = {.ws_row = t->rows, .ws_col = t->columns};
	_cleanup_fd_ int master = -1, slave = -1;
	int r = open_master(root, &master, e);

	if (r == 0)
		r = open_slave(master, &slave, e);
	if (r < 0)
		return r;
	if ((t->rows || t->columns) && ioctl(slave, TIOCSWINSZ, &size) < 0)
		return err_errno(e, "size of the terminal");
	*ret_master = fd_steal(&master);
	*ret_slave = fd_steal(&slave);
	return 0;
}

/* The file to bind over: opened, or made, without following what lies there. */
static int open_console(int dev, int *ret, struct err *e)
{
	_cleanup_fd_ int made =
		openat(dev, "console", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (made < 0 && errno != EEXIST)
		return err_errno(e, "create '/dev/console'");
	fd = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "open '/dev/console'");
	if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
		return err_set(e, EEXIST, "'/dev/console' of the bundle is no file");
	*ret = fd_steal(&fd);
	return 0;
}

int console_bind(int root, int slave, struct err *e)
{
	_cleanup_fd_ int dev = -1, target = -1, mnt = -1;
	int r = mnt_target(root, "/dev", true, &dev, e);

	if (r == 0)
		r = open_console(dev, &target, e);
	if (r == 0)
		r = mnt_clone(slave, "", false, &mnt, e);
	return r < 0 ? r : mnt_attach(mnt, target, "/dev/console", e);
}

int console_send(int sock, int master, struct err *e)
{
	return sock_send(sock, payload, sizeof(payload) - 1, &master, 1, e);
}

int console_adopt(int *slave, uint32_t uid, struct err *e)
{
	/* The group stays what the devpts was mounted with: tty, as a rule. */
	if (fchown(*slave, uid, (gid_t)-1) < 0)
		return err_errno(e, "give the terminal to uid %u", uid);
	if (ioctl(*slave, TIOCSCTTY, 0) < 0)
		return err_errno(e, "controlling terminal");
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(*slave, fd) < 0)
			return err_errno(e, "place the terminal at descriptor %d", fd);
	if (*slave > STDERR_FILENO)
		fd_close(slave);
	*slave = -1;
	return 0;
}

int console_connect(const char *path, int *ret_sock, struct err *e)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	_cleanup_fd_ int sock = -1;

	if (!path[0] || strlen(path) >= sizeof(to.sun_path))
		return err_set(e, ENAMETOOLONG, "console socket '%s': a path of 1..%zu bytes", path,
			       sizeof(to.sun_path) - 1);
	strcpy(to.sun_path, path); /* fits: checked above */
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0)
		return err_errno(e, "console socket '%s'", path);
	*ret_sock = fd_steal(&sock);
	return 0;
}

int console_receive(int sock, int *ret_master, struct err *e)
{
	_cleanup_fd_ int master = -1;
	char name[sizeof(payload)];
	size_t len = 0, n = 0;
	int r = sock_recv(sock, name, sizeof(name), &len, &master, 1, &n, e);

	if (r == 0 && n == 1 && check_device(master, PTMX_MAJOR, PTMX_MAJOR, e) == 0 &&
	    check_devpts(master, e) == 0) {
		*ret_master = fd_steal(&master);
		return 0;
	}
	return r < 0 ? r : err_set(e, EPROTO, "no terminal came from the container");
}
