/* Numbers of cgroup v1, which config.json speaks, as those of v2: see resources.h. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "sandbox/resources.h"

#define SHARES_MIN    2
#define SHARES_MAX    262144
#define WEIGHT_MAX    10000
#define IO_WEIGHT_MIN 10
#define IO_WEIGHT_MAX 1000
#define A_HAIR        1e-9 /* what should be whole may come out a little above */

/*
 * A parabola through (2, 1), (1024, 100) and (262144, 10000) where both axes are logarithms: minimum, default and
 * maximum of one are those of the other. Runtimes agreed on it in 2025 (runc 1.3.2, crun 1.23); the straight line
 * before gave 39 for the default.
 */
uint64_t cg_weight_of_shares(uint64_t shares)
{
	double l, exponent;

	if (shares <= SHARES_MIN)
		return 1;
	if (shares >= SHARES_MAX)
		return WEIGHT_MAX;
	l = log2((double)shares);
	exponent = (l * l + 125 * l) / 612.0 - 7.0 / 34.0;
	return (uint64_t)ceil(pow(10, exponent) - A_HAIR);
}

uint64_t cg_io_weight(uint64_t weight)
{
	if (weight <= IO_WEIGHT_MIN)
		return 1;
	if (weight >= IO_WEIGHT_MAX)
		return WEIGHT_MAX;
	return 1 + (weight - IO_WEIGHT_MIN) * (WEIGHT_MAX - 1) / (IO_WEIGHT_MAX - IO_WEIGHT_MIN);
}

int cg_swap_of_sum(int64_t sum, int64_t memory, int64_t *ret, struct err *e)
{
	/* v1 lifts both together, so "memory unlimited" alone means swap too. */
	if (sum == 0 && memory != -1)
		return CG_E_NO_SWAP_LIMIT;
	if (sum <= 0) {
		*ret = -1;
		return 0;
	}
	if (memory <= 0)
		return err_set(e, EINVAL, "unable to set swap limit without memory limit");
	if (sum < memory)
		return err_set(e, EINVAL,
			       "memory+swap limit %" PRId64 " should be >= memory limit %" PRId64,
			       sum, memory);
	*ret = sum - memory;
	return 0;
}
