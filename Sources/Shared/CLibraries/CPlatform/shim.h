/* What the system has and Swift's overlay of it leaves out. */
#include <pthread.h>
#include <stddef.h>

/* pthread_setname_np is hidden from Swift: glibc declares it for GNU sources only. */
extern int pthread_setname_np(pthread_t thread, const char *name);
/* Longer names than 15 bytes are refused by the kernel; the thread then keeps its process's name. */
static inline void shippy_thread_set_name(const char *name) { (void)pthread_setname_np(pthread_self(), name); }

/*
 * Lets the calling thread run only where nothing else wants the processor; false where a sandbox forbids it. SCHED_IDLE
 * is 5 in Linux (sched(7)); the headers declare it for GNU sources only.
 */
#include <sched.h>
#include <stdbool.h>
static inline bool shippy_thread_run_when_idle(void) {
    struct sched_param parameters = {0};
    return pthread_setschedparam(pthread_self(), 5, &parameters) == 0;
}

/* mallopt is glibc's, in <malloc.h>, which is not part of Swift's Glibc module. */
#include <malloc.h>
static inline void shippy_malloc_map_from(int bytes) { (void)mallopt(M_MMAP_THRESHOLD, bytes); }

/*
 * Gives the program's own code and constants back to the page cache; whatever is needed again comes back from there by
 * a minor fault. Only segments that nobody may write to: those hold the file's bytes and nothing else, as a position
 * independent program has no relocations in them (elf(5), PT_LOAD; madvise(2), MADV_DONTNEED).
 */
#include <elf.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>
static inline void shippy_return_program_pages(void) {
    const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
    const unsigned long count = getauxval(AT_PHNUM);
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t base = 0;
    for (unsigned long i = 0; headers && i < count; i++)
        if (headers[i].p_type == PT_PHDR) base = (uintptr_t)headers - headers[i].p_vaddr;
    for (unsigned long i = 0; base && i < count; i++) {
        if (headers[i].p_type != PT_LOAD || (headers[i].p_flags & PF_W)) continue;
        const uintptr_t start = (base + headers[i].p_vaddr + page - 1) & ~(page - 1);
        const uintptr_t end = (base + headers[i].p_vaddr + headers[i].p_filesz) & ~(page - 1);
        if (start < end) (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
}
