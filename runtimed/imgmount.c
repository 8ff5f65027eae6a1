/* See imgmount.h. */
#include "runtimed/imgmount.h"

#include <linux/mount.h>
#include <stdio.h>

#include "base/fd.h"
#include "sandbox/mount.h"

int imgmount(struct img_store *store, const struct img *img, int *ret, struct err *e)
{
	_cleanup_fd_ int file = -1, dir = -1;
	struct err why = ERR_INIT;
	char source[32];
	int r = img_open_packed(store, img, &file, e);

	if (r < 0)
		return r;
	(void)snprintf(source, sizeof(source), "/proc/self/fd/%d", file);
	if (mnt_new("erofs", source, NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		    ret, &why) == 0)
		return 0;
	r = img_open_unpacked(store, img, &dir, e);
	if (r == IMG_E_NONE)
		return err_set(e, why.code, "%s; and no unpacked copy (images/build --unpacked)",
			       why.text);
	if (r == 0)
		r = mnt_clone(dir, "", false, ret, e);
	if (r == 0)
		r = mnt_set(*ret, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0,
			    false, e);
	return r;
}
