/* Heap ownership and sizes. Allocation failure is an ordinary error (ENOMEM) everywhere. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Cleanup for `_cleanup_free_ char *p`. */
static inline void mem_freep(void *p)
{
	free(*(void **)p);
}
#define _cleanup_free_ __attribute__((cleanup(mem_freep)))

/* Return *(p) and leave NULL behind. */
#define mem_steal(p)                                                                               \
	({                                                                                         \
		typeof(*(p)) taken_ = *(p);                                                        \
		*(p) = NULL;                                                                       \
		taken_;                                                                            \
	})

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
