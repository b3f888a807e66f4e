/*
 * slow-fsync: a slower disk for one process. Loaded in front of the C library it lets every flush to
 * the disk (fsync, fdatasync, a write with RWF_DSYNC or RWF_SYNC) take SLOW_FSYNC_US microseconds more
 * than it takes anyway. It works on whatever calls these by name, a JVM and Node among them.
 *
 *   cc -O2 -shared -fPIC -o slow-fsync.so slow-fsync.c -ldl
 *   SLOW_FSYNC_US=2000 LD_PRELOAD=./slow-fsync.so program
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <time.h>

static long delay_us;
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_pwritev2)(int, const struct iovec *, int, off_t, int);

__attribute__((constructor)) static void find_real(void) {
  const char *text = getenv("SLOW_FSYNC_US");
  delay_us = text ? atol(text) : 0;
  real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  real_pwritev2 = (ssize_t(*)(int, const struct iovec *, int, off_t, int))dlsym(RTLD_NEXT, "pwritev2");
}

static void wait_longer(void) {
  static __thread int is_exact;
  if (!is_exact) { /* the kernel rounds sleeps up by 50 us unless it is told not to */
    prctl(PR_SET_TIMERSLACK, 1000ul, 0, 0, 0);
    is_exact = 1;
  }
  int reason = errno;
  struct timespec rest = {.tv_sec = delay_us / 1000000, .tv_nsec = delay_us % 1000000 * 1000};
  while (nanosleep(&rest, &rest) && errno == EINTR) continue;
  errno = reason;
}

int fsync(int fd) {
  wait_longer();
  return real_fsync(fd);
}

int fdatasync(int fd) {
  wait_longer();
  return real_fdatasync(fd);
}

static ssize_t flushing_write(int fd, const struct iovec *parts, int count, off_t at, int flags) {
  if (flags & (RWF_DSYNC | RWF_SYNC)) wait_longer();
  return real_pwritev2(fd, parts, count, at, flags);
}
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags) {
  return flushing_write(fd, parts, count, at, flags);
}
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t at, int flags) {
  return flushing_write(fd, parts, count, (off_t)at, flags);
}
