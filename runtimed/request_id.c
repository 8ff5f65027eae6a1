/* UUIDs version 7: 48 bits of wall clock in ms, 74 random ones. */
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/clk.h"
#include "base/str.h"
#include "runtimed/invoke.h"

#define UUID_LEN    16
#define BATCH_BYTES 256 /* the most that getrandom(2) always gives whole */

/* Random bytes, fetched for many at a time: a system call costs more than all the rest here. */
static void random_bytes(uint8_t out[UUID_LEN])
{
	static uint8_t batch[BATCH_BYTES]; /* the core's one thread */
	static size_t left;

	if (left == 0) {
		while (getrandom(batch, sizeof(batch), 0) != sizeof(batch))
			; /* interrupted while the kernel gathers its first entropy */
		left = sizeof(batch);
	}
	left -= UUID_LEN;
	memcpy(out, batch + left, UUID_LEN);
}

void request_id_make(char out[37])
{
	static const uint8_t parts[] = {4, 2, 2, 2, 6};
	uint64_t ms = clk_wall_us() / CLK_US_PER_MS;
	uint8_t id[UUID_LEN], *at = id;

	random_bytes(id);
	for (int i = 5; i >= 0; i--, ms >>= 8)
		id[i] = (uint8_t)ms;
	id[6] = 0x70 | (id[6] & 0x0f);
	id[8] = 0x80 | (id[8] & 0x3f);
	for (unsigned i = 0; i < sizeof(parts); i++) {
		str_hex(at, parts[i], out);
		at += parts[i];
		out += 2 * parts[i];
		*out++ = i + 1 < sizeof(parts) ? '-' : '\0';
	}
}
