/* What the system has and Swift's overlay of it leaves out. */
#include <pthread.h>
#include <stddef.h>

/* pthread_setname_np is hidden from Swift: glibc declares it for GNU sources only, and Darwin's takes one argument. */
#ifdef __APPLE__
static inline void shippy_thread_set_name(const char *name) { pthread_setname_np(name); }
#else
extern int pthread_setname_np(pthread_t thread, const char *name);
/* Longer names than 15 bytes are refused by the kernel; the thread then keeps its process's name. */
static inline void shippy_thread_set_name(const char *name) { (void)pthread_setname_np(pthread_self(), name); }
#endif

/* mallopt is glibc's, in <malloc.h>, which is not part of Swift's Glibc module. */
#ifdef __GLIBC__
#include <malloc.h>
static inline void shippy_malloc_map_from(int bytes) { (void)mallopt(M_MMAP_THRESHOLD, bytes); }
#else
static inline void shippy_malloc_map_from(int bytes) { (void)bytes; }
#endif
