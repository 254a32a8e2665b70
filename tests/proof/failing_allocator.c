/* Stands before Python's allocators and lets the one call that was asked for fail. For ctypes.PyDLL:
 * call install() once, then arm(n): the n-th allocation from then on fails; disarm() tells whether
 * it came to that. */
#include <Python.h>

static PyMemAllocatorEx real[3];
static long left;
static int failed;

static int fails(void) {
    if (left > 0 && --left == 0) {
        failed = 1;
        return 1;
    }
    return 0;
}

static void *allocate(void *context, size_t size) {
    const PyMemAllocatorEx *next = context;
    return fails() ? NULL : next->malloc(next->ctx, size);
}

static void *allocate_zeroed(void *context, size_t count, size_t size) {
    const PyMemAllocatorEx *next = context;
    return fails() ? NULL : next->calloc(next->ctx, count, size);
}

static void *reallocate(void *context, void *memory, size_t size) {
    const PyMemAllocatorEx *next = context;
    return fails() ? NULL : next->realloc(next->ctx, memory, size);
}

static void release(void *context, void *memory) {
    const PyMemAllocatorEx *next = context;
    next->free(next->ctx, memory);
}

void install(void) {
    for (int domain = PYMEM_DOMAIN_RAW; domain <= PYMEM_DOMAIN_OBJ; domain++) {
        PyMemAllocatorEx hook = {&real[domain], allocate, allocate_zeroed, reallocate, release};
        PyMem_GetAllocator((PyMemAllocatorDomain)domain, &real[domain]);
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &hook);
    }
}

void arm(long allocation) {
    failed = 0;
    left = allocation;
}

int disarm(void) {
    left = 0;
    return failed;
}
