/*
 * zkfanout: how long until the last of many watchers has heard. Every session puts one watch on the
 * same znode (getData with the watch flag); another one sets it; the clock runs from that request to
 * the last event.
 *
 *   cc -O2 -o zkfanout zkfanout.c
 *   ./zkfanout -h 127.0.0.1:2181 -c 10000 -n 5
 *
 * -h  host:port   -c  sessions that watch   -n  how often   -p  path of the znode
 * -P  pid of the server: the CPU time it spent from the sets to the last events is told too
 *
 * Every watcher must hear exactly once each time. Prints one line of JSON.
 */
#include "zkwire.h"

#define EVENT_XID (-1)
#define WAIT_NS 60000000000ull
typedef struct {
  int fd, is_ready, events;
  int32_t xid;
  buffer in, out;
} session;

static session *sessions;
static int watchers = 10000, shots = 5, poller, server_pid, ready, heard;
static long replies;
static uint64_t set_reply_ns;
static const char *path = "/fanout";

static void on_frame(void *of, const uint8_t *frame, int length) {
  session *s = of;
  if (!s->is_ready) {
    if (length < 20 || get_int(frame + 4) <= 0) die("the session was refused");
    s->is_ready = 1;
    ready++;
    return;
  }
  if (length < 16) die("a reply of %d bytes", length);
  int32_t xid = get_int(frame), error = get_int(frame + 12);
  if (xid == EVENT_XID) {
    if (s->events++) die("a session heard twice of one change");
    heard++;
    return;
  }
  if (error && !(s == &sessions[watchers] && s->xid == 1)) die("error %d", error);
  replies++;
  if (s == &sessions[watchers]) set_reply_ns = now_ns();
}

static void send_out(session *s) {
  /* one small frame on an empty socket: it always fits */
  if (write_buffer(s->fd, &s->out) != 1) die("cannot send: %s", strerror(errno));
}

static void pump_until(const char *what, const int *counter, int wanted) {
  struct epoll_event events[512];
  uint64_t until = now_ns() + WAIT_NS;
  while (*counter < wanted) {
    int n = epoll_wait(poller, events, 512, 1000);
    for (int i = 0; i < n; i++) {
      session *s = events[i].data.ptr;
      if (read_frames(s->fd, &s->in, on_frame, s)) die("the server closed a connection");
    }
    if (now_ns() > until) die("%s: only %d of %d", what, *counter, wanted);
  }
}

static void pump_replies(const char *what, long wanted) {
  struct epoll_event events[512];
  uint64_t until = now_ns() + WAIT_NS;
  while (replies < wanted) {
    int n = epoll_wait(poller, events, 512, 1000);
    for (int i = 0; i < n; i++) {
      session *s = events[i].data.ptr;
      if (read_frames(s->fd, &s->in, on_frame, s)) die("the server closed a connection");
    }
    if (now_ns() > until) die("%s: only %ld of %ld", what, replies, wanted);
  }
}

static void open_all(const host *server) {
  poller = epoll_create1(0);
  for (int i = 0; i <= watchers; i++) {
    session *s = &sessions[i];
    s->fd = open_socket(server);
    if (s->fd < 0) die("connect: %s", strerror(errno));
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
    epoll_ctl(poller, EPOLL_CTL_ADD, s->fd, &e);
    put_connect(&s->out, 40000);
    send_out(s);
    if (i % 32 == 31 || i == watchers) pump_until("sessions opened", &ready, i + 1);
  }
}

static void watch_all(void) {
  long wanted = replies;
  for (int i = 0; i < watchers; i++) {
    session *s = &sessions[i];
    s->events = 0;
    put_read(&s->out, ++s->xid, OP_GET_DATA, path, 1);
    send_out(s);
    wanted++;
    if (i % 256 == 255 || i == watchers - 1) pump_replies("watches set", wanted);
  }
  heard = 0;
}

int main(int argc, char **argv) {
  int option;
  const char *server = "127.0.0.1:2181";
  while ((option = getopt(argc, argv, "h:c:n:p:P:")) != -1) switch (option) {
      case 'h': server = optarg; break;
      case 'c': watchers = atoi(optarg); break;
      case 'n': shots = atoi(optarg); break;
      case 'p': path = optarg; break;
      case 'P': server_pid = atoi(optarg); break;
      default: return 2;
    }
  if (watchers < 1 || shots < 1) die("-c and -n are at least 1");
  if (raise_file_limit() < watchers + 32) die("this user may not open %d sockets (ulimit -n)", watchers + 32);
  host at = parse_host(server);
  sessions = calloc((size_t)watchers + 1, sizeof *sessions);
  uint64_t start = now_ns();
  open_all(&at);
  double open_ms = (double)(now_ns() - start) / 1e6;
  session *writer = &sessions[watchers];
  put_create(&writer->out, ++writer->xid, path, "", 0);
  send_out(writer);
  pump_replies("create", replies + 1);
  writer->xid = 1;
  double cpu_us = 0;
  printf("{\"sessions\":%d,\"openMs\":%.1f,\"lastEventMs\":[", watchers, open_ms);
  for (int shot = 0; shot < shots; shot++) {
    watch_all();
    usleep(50000);
    double before = process_cpu_us(server_pid);
    writer->xid++;
    long wanted = replies + 1;
    uint64_t from = now_ns();
    put_set(&writer->out, writer->xid, path, "x", 1);
    send_out(writer);
    pump_until("events", &heard, watchers);
    uint64_t last = now_ns();
    pump_replies("set", wanted);
    cpu_us += process_cpu_us(server_pid) - before;
    printf("%s%.3f", shot ? "," : "", (double)(last - from) / 1e6);
  }
  printf("],\"serverCpuUs\":%.0f}\n", cpu_us);
  return 0;
}
