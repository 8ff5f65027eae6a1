/* libFuzzer's entry; FUZZ_RUN is the target that `make fuzz` chose. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return FUZZ_RUN(data, size);
}
