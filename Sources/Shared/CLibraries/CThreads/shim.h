/* pthread_setname_np is hidden from Swift: glibc declares it for GNU sources only, and Darwin's takes one argument. */
#include <pthread.h>

#ifdef __APPLE__
static inline void shippy_thread_set_name(const char *name) { pthread_setname_np(name); }
#else
extern int pthread_setname_np(pthread_t thread, const char *name);
/* Longer names than 15 bytes are refused by the kernel; the thread then keeps its process's name. */
static inline void shippy_thread_set_name(const char *name) { (void)pthread_setname_np(pthread_self(), name); }
#endif
