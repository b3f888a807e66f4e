/*
 * What the load programs share: the clock, a histogram, buffers, and the few frames of the
 * ZooKeeper client protocol that a benchmark sends. Raw bytes and no library: an operation has to
 * cost the client less than it costs any server, or the client is what gets measured.
 *
 * All of it is static so that each program is one `cc -O2 -o x x.c`.
 */
#ifndef ZKWIRE_H
#define ZKWIRE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define OP_CREATE 1
#define OP_DELETE 2
#define OP_EXISTS 3
#define OP_GET_DATA 4
#define OP_SET_DATA 5
#define OP_GET_CHILDREN 8
#define OP_SYNC 9
#define OP_CLOSE_SESSION -11

UNUSED __attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(2);
}

UNUSED static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Wall clock in milliseconds, to line up with file times and with other processes. */
UNUSED static double wall_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- histogram: units of 100 ns, 128 steps for each power of two (under 0.8 % of error) ---- */

#define HIST_STEPS 128
#define HIST_BUCKETS (HIST_STEPS * 40)
typedef struct {
  uint64_t count, max_ns;
  uint64_t buckets[HIST_BUCKETS];
} histogram;

static int hist_bucket(uint64_t ns) {
  uint64_t v = ns / 100;
  if (v < HIST_STEPS) return (int)v;
  int power = 63 - __builtin_clzll(v);
  int b = (power - 6) * HIST_STEPS + (int)((v >> (power - 7)) & (HIST_STEPS - 1));
  return b < HIST_BUCKETS ? b : HIST_BUCKETS - 1;
}

/* The middle of a bucket, in microseconds. */
static double hist_value_us(int b) {
  if (b < HIST_STEPS) return b / 10.0;
  int power = b / HIST_STEPS + 6;
  uint64_t width = 1ull << (power - 7);
  uint64_t low = (uint64_t)(HIST_STEPS + b % HIST_STEPS) * width;
  return ((double)low + (double)width / 2) / 10.0;
}

UNUSED static void hist_add(histogram *h, uint64_t ns) {
  h->count++;
  h->buckets[hist_bucket(ns)]++;
  if (ns > h->max_ns) h->max_ns = ns;
}

UNUSED static double hist_percentile_us(const histogram *h, double q) {
  uint64_t wanted = (uint64_t)((double)h->count * q), seen = 0;
  for (int b = 0; b < HIST_BUCKETS; b++) {
    seen += h->buckets[b];
    if (seen > wanted) return hist_value_us(b);
  }
  return (double)h->max_ns / 1e3;
}

UNUSED static void hist_print(FILE *out, const histogram *h) {
  fprintf(out, "\"p50Us\":%.1f,\"p90Us\":%.1f,\"p99Us\":%.1f,\"p999Us\":%.1f,\"maxUs\":%.1f",
          hist_percentile_us(h, .5), hist_percentile_us(h, .9), hist_percentile_us(h, .99),
          hist_percentile_us(h, .999), (double)h->max_ns / 1e3);
}

/* ---- CPU time ---- */

/* User and system time that a process has used so far, in microseconds; 0 when it is not there. */
UNUSED static double process_cpu_us(int pid) {
  char file[64], text[1024];
  snprintf(file, sizeof file, "/proc/%d/stat", pid);
  int fd = open(file, O_RDONLY);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  char *p = strrchr(text, ')'); /* the program's name may hold anything */
  unsigned long user = 0, kernel = 0;
  if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
    return 0;
  return (double)(user + kernel) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

UNUSED static double own_cpu_us(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Lets this process hold as many sockets as it may at all; returns that number. */
UNUSED static long raise_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) return 1024;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return (long)limit.rlim_cur;
}

/* ---- bytes ---- */

typedef struct {
  uint8_t *bytes;
  size_t length, capacity, sent;
} buffer;

static void reserve(buffer *b, size_t more) {
  if (b->length + more <= b->capacity) return;
  b->capacity = (b->length + more) * 2;
  b->bytes = realloc(b->bytes, b->capacity);
  if (!b->bytes) die("out of memory");
}
static void put_bytes(buffer *b, const void *from, size_t length) {
  reserve(b, length);
  memcpy(b->bytes + b->length, from, length);
  b->length += length;
}
static void put_int(buffer *b, int32_t value) {
  uint32_t x = htonl((uint32_t)value);
  put_bytes(b, &x, 4);
}
static void put_long(buffer *b, int64_t value) {
  put_int(b, (int32_t)(value >> 32));
  put_int(b, (int32_t)value);
}
static void put_bool(buffer *b, int value) {
  uint8_t x = value != 0;
  put_bytes(b, &x, 1);
}
static void put_field(buffer *b, const void *from, int length) {
  put_int(b, length);
  if (length > 0) put_bytes(b, from, (size_t)length);
}
static void put_text(buffer *b, const char *text) { put_field(b, text, (int)strlen(text)); }
static size_t frame_begin(buffer *b) {
  put_int(b, 0);
  return b->length;
}
static void frame_end(buffer *b, size_t at) {
  uint32_t x = htonl((uint32_t)(b->length - at));
  memcpy(b->bytes + at - 4, &x, 4);
}
static int32_t get_int(const uint8_t *p) {
  uint32_t x;
  memcpy(&x, p, 4);
  return (int32_t)ntohl(x);
}

UNUSED static int64_t get_long(const uint8_t *p) {
  return (int64_t)((uint64_t)(uint32_t)get_int(p) << 32 | (uint32_t)get_int(p + 4));
}

/* ---- requests ---- */

/* A session that is to go on: who it is, and what it has seen. All zeros: a new one. */
typedef struct {
  int64_t id, last_zxid;
  uint8_t password[16];
} session_identity;

UNUSED static void put_reconnect(buffer *b, int timeout_ms, const session_identity *who) {
  size_t at = frame_begin(b);
  put_int(b, 0);
  put_long(b, who->last_zxid);
  put_int(b, timeout_ms);
  put_long(b, who->id);
  put_field(b, who->password, 16);
  put_bool(b, 0);
  frame_end(b, at);
}
UNUSED static void put_connect(buffer *b, int timeout_ms) {
  const session_identity nobody = {0};
  put_reconnect(b, timeout_ms, &nobody);
}
UNUSED static void put_close_session(buffer *b, int32_t xid) {
  size_t at = frame_begin(b);
  put_int(b, xid);
  put_int(b, OP_CLOSE_SESSION);
  frame_end(b, at);
}
/* exists, getData, getChildren: path and the watch flag */
UNUSED static void put_read(buffer *b, int32_t xid, int op, const char *path, int watch) {
  size_t at = frame_begin(b);
  put_int(b, xid);
  put_int(b, op);
  put_text(b, path);
  put_bool(b, watch);
  frame_end(b, at);
}
UNUSED static void put_set(buffer *b, int32_t xid, const char *path, const void *data, int length) {
  size_t at = frame_begin(b);
  put_int(b, xid);
  put_int(b, OP_SET_DATA);
  put_text(b, path);
  put_field(b, data, length);
  put_int(b, -1);
  frame_end(b, at);
}
UNUSED static void put_create(buffer *b, int32_t xid, const char *path, const void *data, int length) {
  size_t at = frame_begin(b);
  put_int(b, xid);
  put_int(b, OP_CREATE);
  put_text(b, path);
  put_field(b, data, length);
  put_int(b, 1); /* world:anyone, everything */
  put_int(b, 31);
  put_text(b, "world");
  put_text(b, "anyone");
  put_int(b, 0); /* persistent */
  frame_end(b, at);
}
UNUSED static void put_delete(buffer *b, int32_t xid, const char *path) {
  size_t at = frame_begin(b);
  put_int(b, xid);
  put_int(b, OP_DELETE);
  put_text(b, path);
  put_int(b, -1);
  frame_end(b, at);
}
UNUSED static void put_sync(buffer *b, int32_t xid, const char *path) {
  size_t at = frame_begin(b);
  put_int(b, xid);
  put_int(b, OP_SYNC);
  put_text(b, path);
  frame_end(b, at);
}

/* ---- sockets ---- */

typedef struct {
  struct sockaddr_in at;
} host;

UNUSED static host parse_host(const char *text) {
  host h = {.at = {.sin_family = AF_INET}};
  char ip[64];
  snprintf(ip, sizeof ip, "%s", text);
  char *colon = strrchr(ip, ':');
  if (!colon) die("%s is not host:port", text);
  *colon = 0;
  h.at.sin_port = htons((uint16_t)atoi(colon + 1));
  if (inet_pton(AF_INET, ip, &h.at.sin_addr) != 1) die("%s is not an IPv4 address", ip);
  return h;
}

/* A connected socket, blocking; -1 with errno when nobody listens. */
UNUSED static int open_socket(const host *h) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  if (fd < 0) die("socket: %s", strerror(errno));
  if (connect(fd, (const struct sockaddr *)&h->at, sizeof h->at)) {
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

typedef void (*on_frame_fn)(void *connection, const uint8_t *frame, int length);

/*
 * Reads what is there into `scratch` (shared by all connections) and hands out whole frames; an
 * incomplete one waits in `rest`. 0: fine; -1: the connection has ended.
 */
#define SCRATCH_BYTES (1 << 20)
UNUSED static int read_frames(int fd, buffer *rest, on_frame_fn on_frame, void *connection) {
  static uint8_t scratch[SCRATCH_BYTES];
  size_t length = rest->length;
  if (length >= SCRATCH_BYTES) die("a frame longer than %d bytes", SCRATCH_BYTES);
  if (length) memcpy(scratch, rest->bytes, length);
  ssize_t n = read(fd, scratch + length, SCRATCH_BYTES - length);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (n <= 0) return -1;
  length += (size_t)n;
  size_t at = 0;
  while (length - at >= 4) {
    int32_t frame = get_int(scratch + at);
    if (frame < 0 || frame > SCRATCH_BYTES - 4) die("a frame of %d bytes", frame);
    if (length - at - 4 < (size_t)frame) break;
    on_frame(connection, scratch + at + 4, frame);
    at += 4 + (size_t)frame;
  }
  rest->length = 0;
  if (length > at) put_bytes(rest, scratch + at, length - at);
  return 0;
}

/* Writes as much as the socket takes: 1 everything left, 0 some is kept, -1 the end. */
UNUSED static int write_buffer(int fd, buffer *b) {
  while (b->sent < b->length) {
    ssize_t n = send(fd, b->bytes + b->sent, b->length - b->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0) return -1;
    b->sent += (size_t)n;
  }
  b->length = b->sent = 0;
  return 1;
}
#endif
