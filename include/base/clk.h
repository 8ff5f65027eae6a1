/* Clocks. Every time in this tree is a uint64_t in microseconds. */
#ifndef BASE_CLK_H
#define BASE_CLK_H

#include <stdint.h>

#define CLK_US_PER_MS  UINT64_C(1000)
#define CLK_US_PER_SEC UINT64_C(1000000)

/* CLOCK_MONOTONIC: the same for all processes of this machine, ours have no time namespace. */
uint64_t clk_now_us(void);

/* CLOCK_REALTIME, µs since 1970. For records and protocols, never for deadlines. */
uint64_t clk_wall_us(void);

#endif
