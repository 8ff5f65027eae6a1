#include "base/clk.h"

#include <time.h>

static uint64_t read_us(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts); /* cannot fail for these two clocks */
	return (uint64_t)ts.tv_sec * CLK_US_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clk_now_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

uint64_t clk_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}
