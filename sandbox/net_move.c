/*
 * Devices of the starter's network namespace that move into the sandbox's (linux.netDevices), by the starter:
 * the sandbox has no power over devices outside. A device loses its addresses on the way; those that were
 * given for good and are valid everywhere are given again, and it is brought up.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/net.h"

static void free_sock(struct nl_sock **s)
{
	nl_socket_free(*s); /* NULL is fine */
}
#define _cleanup_sock_ __attribute__((cleanup(free_sock)))

static void free_link(struct rtnl_link **l)
{
	if (*l)
		rtnl_link_put(*l);
}
#define _cleanup_link_ __attribute__((cleanup(free_link)))

static void free_cache(struct nl_cache **c)
{
	if (*c)
		nl_cache_free(*c);
}
#define _cleanup_cache_ __attribute__((cleanup(free_cache)))

/* libnl keeps the kernel's errno to itself, but for the few that callers ask about. */
static int code_of(int r)
{
	switch (-r) {
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND:
		return ENODEV;
	case NLE_PERM:
	case NLE_NOACCESS:
		return EPERM;
	case NLE_EXIST:
		return EEXIST;
	case NLE_BUSY:
		return EBUSY;
	case NLE_NOMEM:
		return ENOMEM;
	default:
		return EINVAL;
	}
}

static int nl_fail(int r, const char *what, struct err *e)
{
	return err_set(e, code_of(r), "%s: %s", what, nl_geterror(r));
}

static int open_sock(struct nl_sock **ret, struct err *e)
{
	struct nl_sock *s = nl_socket_alloc();
	int r = s ? nl_connect(s, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r < 0) {
		nl_socket_free(s);
		return nl_fail(r, "netlink", e);
	}
	*ret = s;
	return 0;
}

/* Here: find it, remember all addresses, send it there under its new name. */
static int send_device(struct nl_sock *s, const struct sbx_net_device *d, int there,
		       struct nl_cache **ret_addrs, int *ret_index, struct err *e)
{
	_cleanup_link_ struct rtnl_link *link = NULL, *change = rtnl_link_alloc();
	_cleanup_cache_ struct nl_cache *addrs = NULL;
	int r = change ? rtnl_link_get_kernel(s, 0, d->name, &link) : -NLE_NOMEM;

	if (r < 0)
		return nl_fail(r, "find it", e);
	r = rtnl_addr_alloc_cache(s, &addrs);
	if (r < 0)
		return nl_fail(r, "its addresses", e);
	*ret_index = rtnl_link_get_ifindex(link);
	rtnl_link_set_name(change, d->new_name);
	rtnl_link_set_ns_fd(change, there);
	r = rtnl_link_change(s, link, change, 0);
	if (r < 0)
		return nl_fail(r, "move", e);
	*ret_addrs = addrs;
	addrs = NULL;
	return 0;
}

/* One of the old addresses, for the device as it is now; only what makes it the address it was. */
static int give_address(struct nl_sock *s, struct rtnl_addr *old, int index, struct err *e)
{
	struct rtnl_addr *a = rtnl_addr_alloc();
	int r = a ? rtnl_addr_set_local(a, rtnl_addr_get_local(old)) : -NLE_NOMEM;

	if (r == 0 && rtnl_addr_get_broadcast(old))
		r = rtnl_addr_set_broadcast(a, rtnl_addr_get_broadcast(old));
	if (r == 0 && rtnl_addr_get_peer(old))
		r = rtnl_addr_set_peer(a, rtnl_addr_get_peer(old));
	if (r == 0) {
		rtnl_addr_set_ifindex(a, index);
		rtnl_addr_set_scope(a, rtnl_addr_get_scope(old));
		/* It was found to be nobody else's before. */
		if (rtnl_addr_get_family(old) == AF_INET6)
			rtnl_addr_set_flags(a, IFA_F_NODAD);
		r = rtnl_addr_add(s, a, 0);
	}
	if (a)
		rtnl_addr_put(a);
	return r < 0 ? nl_fail(r, "give it an address", e) : 0;
}

static int give_addresses(struct nl_sock *s, struct nl_cache *addrs, int old_index, int index,
			  struct err *e)
{
	int r = 0;

	for (struct nl_object *o = nl_cache_get_first(addrs); r == 0 && o;
	     o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;

		if (rtnl_addr_get_ifindex(a) == old_index &&
		    rtnl_addr_get_scope(a) == RT_SCOPE_UNIVERSE &&
		    rtnl_addr_get_flags(a) & IFA_F_PERMANENT)
			r = give_address(s, a, index, e);
	}
	return r;
}

/* There: give it its addresses, and bring it up. */
static int settle_device(const struct sbx_net_device *d, struct nl_cache *addrs, int old_index,
			 struct err *e)
{
	_cleanup_link_ struct rtnl_link *link = NULL, *change = rtnl_link_alloc();
	_cleanup_sock_ struct nl_sock *s = NULL;
	int r = open_sock(&s, e);

	if (r < 0)
		return r;
	r = change ? rtnl_link_get_kernel(s, 0, d->new_name, &link) : -NLE_NOMEM;
	if (r < 0)
		return nl_fail(r, "find it again", e);
	r = give_addresses(s, addrs, old_index, rtnl_link_get_ifindex(link), e);
	if (r < 0)
		return r;
	rtnl_link_set_flags(change, IFF_UP);
	r = rtnl_link_change(s, link, change, 0);
	return r < 0 ? nl_fail(r, "bring it up", e) : 0;
}

static int move_device(const struct sbx_net_device *d, int home, int there, struct err *e)
{
	_cleanup_cache_ struct nl_cache *addrs = NULL;
	_cleanup_sock_ struct nl_sock *s = NULL;
	int index = 0, r = open_sock(&s, e);

	if (r == 0)
		r = send_device(s, d, there, &addrs, &index, e);
	if (r == 0 && setns(there, CLONE_NEWNET) < 0)
		r = err_errno(e, "enter the network namespace");
	if (r < 0)
		return r;
	r = settle_device(d, addrs, index, e);
	if (setns(home, CLONE_NEWNET) < 0)
		r = err_errno(e, "return to own network namespace");
	return r;
}

int net_move_devices(const struct sbx_plan *p, pid_t pid, struct err *e)
{
	_cleanup_fd_ int home = -1, there = -1;
	char path[64];
	int r = 0;

	if (p->n_net_devices == 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	there = open(path, O_RDONLY | O_CLOEXEC);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (there < 0 || home < 0)
		return err_errno(e, "open '%s'", path);
	for (uint32_t i = 0; r == 0 && i < p->n_net_devices; i++) {
		const struct sbx_net_device *d = &p->net_devices[i];

		r = move_device(d, home, there, e);
		if (r < 0)
			err_wrap(e, "network device '%s' as '%s'", d->name, d->new_name);
	}
	return r;
}
