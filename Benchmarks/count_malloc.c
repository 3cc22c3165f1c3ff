/*
 * Counts the allocations of a program, for the benchmarks: loaded by LD_PRELOAD in front of glibc's functions, to which it
 * passes every call on. glibc exports those under a second name, so that nothing is looked up, and a call that comes
 * while the program is still being linked works like any other. What is freed is not counted: free stays glibc's own.
 *
 * COUNT_MALLOC_FOLDER=DIR keeps the counters in the file DIR/PID, five numbers of 64 bits as in struct counts, which others
 * read while the program runs. Without it the program itself can ask, by count_malloc_calls.
 *
 * Build: cc -std=c11 -O2 -shared -fPIC -o count_malloc.so count_malloc.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

struct counts {
    _Atomic uint64_t malloc, calloc, realloc, aligned;
    /* Asked for, by all of these. */
    _Atomic uint64_t bytes;
};

/* Until the file is mapped, and where there is none. */
static struct counts own;
static struct counts *counts = &own;

static void add(_Atomic uint64_t *calls, size_t bytes) {
    /* The order in which threads see these does not matter: they are read when the program rests. */
    atomic_fetch_add_explicit(calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->bytes, bytes, memory_order_relaxed);
}

/* All calls so far. For the program itself, which finds it by dlsym. */
uint64_t count_malloc_calls(void) {
    return atomic_load_explicit(&counts->malloc, memory_order_relaxed) +
        atomic_load_explicit(&counts->calloc, memory_order_relaxed) +
        atomic_load_explicit(&counts->realloc, memory_order_relaxed) +
        atomic_load_explicit(&counts->aligned, memory_order_relaxed);
}

/* Without its counters the program would be measured as if it allocated nothing. */
static void fail(const char *what) {
    perror(what);
    _exit(70);
}

__attribute__((constructor)) static void map_counters(void) {
    const char *folder = getenv("COUNT_MALLOC_FOLDER");
    if (!folder) return;
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/%ld", folder, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        fail("count_malloc");
    }
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof *counts) != 0) fail(path);
    void *memory = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) fail(path);
    close(file);
    counts = memory;
}

void *malloc(size_t size) {
    add(&counts->malloc, size);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    add(&counts->calloc, count * size);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    add(&counts->realloc, size);
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    add(&counts->aligned, size);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    add(&counts->aligned, size);
    return __libc_memalign(alignment, size);
}

/* It returns its error and leaves errno alone (posix_memalign(3)). */
int posix_memalign(void **memory, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    add(&counts->aligned, size);
    const int before = errno;
    void *made = __libc_memalign(alignment, size);
    errno = before;
    if (!made) return ENOMEM;
    *memory = made;
    return 0;
}
