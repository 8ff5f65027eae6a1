/*
 * Landlock as one step: see landlock.h.
 *
 * The structs are of ABI 6 (Linux 6.12), newer than Debian 12's headers; an older kernel is given the
 * shorter attribute it knows (landlock(7), "Compatibility").
 */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/sys.h"

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1

enum fs_right {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_MAKE_CHAR = 1 << 6,
	FS_MAKE_BLOCK = 1 << 11,
};

#define FS_READ (FS_EXECUTE | FS_READ_FILE | FS_READ_DIR)

/* All file system rights known to an ABI; row n is ABI n + 1. REFER came with 2, TRUNCATE 3, IOCTL 5. */
static const uint64_t fs_all[] = {0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff, 0xffff, 0xffff};

/* ABI 6: no abstract sockets, no signals to outside of the domain. */
#define SCOPE_ALL 3

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4; the network namespace confines that, so 0 */
	uint64_t scoped;             /* ABI 6 */
};

struct path_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

int landlock_abi(void)
{
	int abi = sys_landlock_create_ruleset(NULL, 0, CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : abi;
}

static int allow(int ruleset, const char *path, uint64_t rights, struct err *e)
{
	_cleanup_fd_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct path_beneath rule = {.allowed = rights, .fd = fd};

	if (fd < 0)
		return err_errno(e, "open '%s'", path);
	if (sys_landlock_add_rule(ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_errno(e, "rule for '%s'", path);
	return 0;
}

int landlock_confine(const char (*writable)[SBX_WRITABLE_PATH], uint32_t n_writable, struct err *e)
{
	int abi = landlock_abi();
	struct ruleset_attr attr = {0};
	_cleanup_fd_ int ruleset = -1;
	uint64_t all;
	size_t size;
	int r;

	if (abi == 0)
		return 0;
	if (abi > (int)ARRAY_SIZE(fs_all))
		abi = ARRAY_SIZE(fs_all);
	all = fs_all[abi - 1];
	attr.handled_access_fs = all;
	attr.scoped = abi >= 6 ? SCOPE_ALL : 0;
	size = abi >= 6 ? sizeof(attr) : sizeof(attr.handled_access_fs);
	ruleset = sys_landlock_create_ruleset(&attr, size, 0);
	if (ruleset < 0)
		return err_errno(e, "create ruleset");
	r = allow(ruleset, "/", FS_READ, e);
	for (uint32_t i = 0; r == 0 && i < n_writable; i++)
		r = allow(ruleset, writable[i], all & ~(uint64_t)(FS_MAKE_CHAR | FS_MAKE_BLOCK), e);
	if (r == 0 && sys_landlock_restrict_self(ruleset, 0) < 0)
		r = err_errno(e, "restrict self");
	return r;
}
