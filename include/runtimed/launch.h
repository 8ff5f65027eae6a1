/*
 * What core and launcher say to each other: SOCK_SEQPACKET, one struct a datagram, exact length,
 * descriptors counted. An unknown type, a wrong length or a message out of its state ends the peer, and
 * with it the daemon. No message carries a path, and only UNPACK a word that a tenant wrote (a module name
 * of checked letters); code is named by its SHA-256, images by their index in HELLO.
 *
 *	launcher → core  HELLO     once, first
 *	core → launcher  READY     once: it serves
 *	core → launcher  START     make instance `id` (ids are the core's choice, never reused)
 *	launcher → core  STARTED   with enum launch_started_fd descriptors, as soon as the core can write
 *	launcher → core  FAILED    instead of STARTED; the instance is gone, no GONE follows
 *	core → launcher  STOP      kill it, all of it
 *	launcher → core  GONE      the instance has ended (by itself or by STOP); its group is empty
 *	core → launcher  UNPACK    with the package's descriptor: unpack into the code store
 *	launcher → core  UNPACKED  done or refused
 *	core → launcher  FORGET    remove a package from the code store
 *	launcher → core  BASE      a zygote is ready: what it takes for all its children
 */
#ifndef RUNTIMED_LAUNCH_H
#define RUNTIMED_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LAUNCH_IMAGES_MAX     16
#define LAUNCH_IMAGE_NAME_MAX 63
#define LAUNCH_MODULE_MAX     127
#define LAUNCH_SHA256_LEN     32

enum launch_type {
	LAUNCH_HELLO = 1,
	LAUNCH_START,
	LAUNCH_STARTED,
	LAUNCH_FAILED,
	LAUNCH_STOP,
	LAUNCH_GONE,
	LAUNCH_UNPACK,
	LAUNCH_UNPACKED,
	LAUNCH_FORGET,
	LAUNCH_BASE,
	LAUNCH_READY,
};

struct launch_image {
	char name[LAUNCH_IMAGE_NAME_MAX + 1];
	uint8_t digest[LAUNCH_SHA256_LEN];
	uint64_t packed_bytes;
	uint64_t unpacked_bytes;
	uint64_t base_bytes; /* see struct launch_base; 0 = not known yet */
};

struct launch_hello {
	uint32_t type;
	uint32_t n_images;
	uint32_t is_unified;  /* cgroup v2 alone; else hybrid */
	uint32_t peak_resets; /* the memory peak can be reset between invocations */
	struct launch_image images[LAUNCH_IMAGES_MAX];
};

/* Which row of the starting ladder (docs/ARCHITECTURE.md) an instance came by. */
enum launch_way { LAUNCH_PREFORKED = 0, LAUNCH_FORKED, LAUNCH_EXECED, LAUNCH_WAYS };

struct launch_start {
	uint32_t type;
	uint32_t image; /* index in HELLO */
	uint64_t id;
	uint64_t memory_bytes;
	uint64_t cpu_quota_us; /* per 100 ms; 0 = no quota */
	uint32_t pids_max;
	uint32_t way; /* the best way allowed; PREFORKED falls to FORKED when no child waits */
	uint64_t tmp_bytes;
	uint8_t code[LAUNCH_SHA256_LEN];
};

/* Descriptors of STARTED, in this order. */
enum launch_started_fd {
	LAUNCH_FD_DATA,     /* stream to the guest (runtimed/guest.h), non-blocking */
	LAUNCH_FD_LOG,      /* read end of the log pipe, non-blocking */
	LAUNCH_FD_CPU_STAT, /* these four are of struct cg_meter (sandbox/cgroup.h) */
	LAUNCH_FD_MEM_PEAK,
	LAUNCH_FD_OOM,
	LAUNCH_FD_FREEZE,
	LAUNCH_STARTED_FDS
};

struct launch_started {
	uint32_t type;
	uint32_t way; /* the way it really came */
	uint64_t id;
	uint64_t received_us; /* START arrived at the launcher, CLOCK_MONOTONIC */
	uint64_t taken_us;    /* a sandbox was there and the process was told to go on */
};

struct launch_failed {
	uint32_t type;
	uint32_t reserved;
	uint64_t id;
	struct err err;
};

struct launch_stop {
	uint32_t type;
	uint32_t reserved;
	uint64_t id;
};

struct launch_gone {
	uint32_t type;
	uint32_t reserved;
	uint64_t id;
	int32_t exit_code;  /* of the guest process; -1 if a signal ended it */
	int32_t signal;     /* 0 if it exited */
	uint64_t oom_kills; /* the kernel's count over this instance's life */
	uint64_t memory_peak_bytes;
	uint64_t cpu_us;
	struct err err; /* code != 0: a step failed before the user's code was reached */
};

/* + 1 descriptor: the package, a regular file, read-only. The core computed its SHA-256. */
struct launch_unpack {
	uint32_t type;
	uint32_t reserved;
	uint64_t job;
	uint8_t code[LAUNCH_SHA256_LEN];
	char module[LAUNCH_MODULE_MAX +
		    1]; /* [A-Za-z0-9_/-]: MODULE.py or MODULE/__init__.py must be there */
};

struct launch_unpacked {
	uint32_t type;
	uint32_t n_entries;
	uint64_t job;
	uint64_t unpacked_bytes;
	struct err err; /* code != 0: refused, nothing was installed */
};

struct launch_forget {
	uint32_t type;
	uint32_t reserved;
	uint8_t code[LAUNCH_SHA256_LEN];
};

/*
 * The memory of a zygote that its children share and no instance is billed for: its proportional share
 * (PSS) when it is ready and has no children yet.
 */
struct launch_base {
	uint32_t type;
	uint32_t image; /* index in HELLO */
	uint64_t bytes;
};

/* Everything is open, requests are answered. */
struct launch_ready {
	uint32_t type;
	uint32_t reserved;
};

/* The largest datagram; receive buffers have this size. */
union launch_message {
	uint32_t type;
	struct launch_hello hello;
	struct launch_start start;
	struct launch_started started;
	struct launch_failed failed;
	struct launch_stop stop;
	struct launch_gone gone;
	struct launch_unpack unpack;
	struct launch_unpacked unpacked;
	struct launch_forget forget;
	struct launch_base base;
	struct launch_ready ready;
};

#endif
