/*
 * Fuzz entry points, one a parser, one a file: tests/fuzz/fuzz_NAME.c defines fuzz_NAME(). It takes any
 * bytes, returns 0, and aborts when something that must hold does not. test_fuzz_replay runs each over
 * tests/fuzz/corpus/NAME/; `make fuzz FUZZ=NAME SECONDS=60` searches for new inputs.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int fuzz_http(const uint8_t *data, size_t size);
int fuzz_mounts(const uint8_t *data, size_t size);
int fuzz_oci(const uint8_t *data, size_t size);
int fuzz_policy(const uint8_t *data, size_t size);
int fuzz_request(const uint8_t *data, size_t size);
int fuzz_seccomp(const uint8_t *data, size_t size);
int fuzz_state(const uint8_t *data, size_t size);
int fuzz_unpack(const uint8_t *data, size_t size);
int fuzz_user(const uint8_t *data, size_t size);

#endif
