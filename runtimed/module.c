/* Modules of handlers: see module.h. */
#include "runtimed/module.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

bool module_is_valid(const char *module)
{
	size_t part = 0, n = strnlen(module, LAUNCH_MODULE_MAX + 1);

	if (n > LAUNCH_MODULE_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (module[i] == '/' ? part == 0 : !is_word(module[i]))
			return false;
		part = module[i] == '/' ? 0 : part + 1;
	}
	return part > 0;
}

int module_from_handler(const char *handler, char ret_module[LAUNCH_MODULE_MAX + 1], struct err *e)
{
	const char *dot = strrchr(handler, '.');
	char module[LAUNCH_MODULE_MAX + 1];
	size_t n = dot ? (size_t)(dot - handler) : 0;

	if (!dot || dot[1] == '\0')
		return err_set(e, EINVAL, "handler '%.128s' is not MODULE.FUNCTION", handler);
	if (n > LAUNCH_MODULE_MAX)
		return err_set(e, EINVAL, "handler: a module of %zu bytes, %d are allowed", n,
			       LAUNCH_MODULE_MAX);
	for (size_t i = 0; i < n; i++)
		module[i] = handler[i] == '.' ? '/' : handler[i];
	module[n] = '\0';
	if (!module_is_valid(module))
		return err_set(
			e, EINVAL,
			"handler '%.128s': the module is letters, digits, '_', '-', parts of it "
			"divided by '/' or '.'",
			handler);
	memcpy(ret_module, module, n + 1);
	return 0;
}

static bool is_file(int dirfd, const char *path)
{
	struct err ignored = ERR_INIT; /* not there, or not beneath: the same to us */
	_cleanup_fd_ int fd = -1;
	struct stat st;

	return file_open_beneath(dirfd, path, O_PATH, 0, &fd, &ignored) == 0 &&
	       fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* MODULE.so, MODULE.abi3.so, MODULE.cpython-311-x86_64-linux-gnu.so, ... */
static bool has_extension(int dirfd, const char *module)
{
	char dir[LAUNCH_MODULE_MAX + 1] = ".", path[LAUNCH_MODULE_MAX + NAME_MAX + 2];
	const char *slash = strrchr(module, '/'), *base = slash ? slash + 1 : module;
	struct err ignored = ERR_INIT;
	size_t n = strlen(base);
	bool is_found = false;
	struct dirent *d;
	int fd = -1;
	DIR *list;

	if (slash)
		(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - module), module);
	if (file_open_beneath(dirfd, dir, O_RDONLY | O_DIRECTORY, 0, &fd, &ignored) < 0)
		return false;
	list = fdopendir(fd);
	if (!list) {
		fd_close(&fd);
		return false;
	}
	while (!is_found && (d = readdir(list))) {
		if (strncmp(d->d_name, base, n) != 0 || d->d_name[n] != '.' ||
		    !str_has_suffix(d->d_name, ".so"))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		is_found = is_file(dirfd, path);
	}
	(void)closedir(list);
	return is_found;
}

int module_find(int dirfd, const char *module, struct err *e)
{
	static const char *const tails[] = {".py", "/__init__.py"};
	char path[LAUNCH_MODULE_MAX + sizeof("/__init__.py")];

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", module, tails[i]);
		if (is_file(dirfd, path))
			return 0;
	}
	if (has_extension(dirfd, module))
		return 0;
	return err_set(e, ENOENT, "no file %s.py in the package", module);
}
