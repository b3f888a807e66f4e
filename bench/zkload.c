/*
 * zkload: closed-loop load on any server that speaks the ZooKeeper client protocol. One thread,
 * epoll, raw frames. Each connection keeps a fixed number of requests outstanding; whoever answers
 * faster is asked more.
 *
 *   cc -O2 -o zkload zkload.c
 *   ./zkload -h 127.0.0.1:2181,127.0.0.1:2182 -c 64 -o 16 -t 5 -m get
 *
 * -h  servers, host:port[,host:port...]; connections are spread round robin
 * -c  connections           -o  requests outstanding on each connection
 * -t  seconds measured      -w  seconds of warm-up, not counted (default 1); both may be fractions
 * -s  value size in bytes   -k  znodes prepared under -p (default 1000)
 * -p  parent path (default /zkload); creates need one that no earlier run has filled
 * -m  get | set | create | delcreate | exists | children | mix:R
 *     (mix:R reads with probability R percent and sets otherwise; delcreate creates and deletes in
 *     turn, so the tree does not grow: latencies are those of the creates)
 * -T  session timeout in ms
 * -N  number of creates, then stop (bulk load; no warm-up and no time limit)
 * -R  requests per second, all connections together, in place of as many as are answered: each has
 *     its moment, and its latency runs from that moment, whether or not a connection was free
 * -P  pid[,pid...] of the servers: their CPU time over what is measured is told too
 * -L  file for a timeline: every 50 ms a line `<wall clock ms> <latency us>:<count> ...`
 *
 * SIGTERM ends the measurement early and properly. Prints one line of JSON. Exit code 1 when a
 * request failed or a connection ended, 2 when there was nothing to measure.
 */
#include "zkwire.h"
#include <signal.h>
#include <sys/timerfd.h>

enum mode { GET, SET, CREATE, DELCREATE, EXISTS, CHILDREN, MIX, MODES };
static const char *const mode_names[MODES] = {"get",    "set",      "create", "delcreate",
                                              "exists", "children", "mix"};
#define SLICE_NS 50000000ull
#define PREPARE_AT_ONCE 500
#define OUTSTANDING_MAX 4096
#define SERVERS_MAX 64

typedef struct {
  int fd, index, outstanding, is_ready, is_blocked;
  int32_t xid;
  uint64_t *sent_ns;    /* by xid, modulo ring_mask + 1 */
  uint8_t *is_uncounted; /* the same for requests whose latency is not asked for */
  uint64_t created;
  buffer in, out;
} connection;

static struct {
  int connections, outstanding, value_bytes, keys, read_percent, timeout_ms;
  double seconds, warm_seconds, rate;
  long bulk;
  enum mode mode;
  const char *parent, *timeline;
} options = {16, 1, 100, 1000, 50, 30000, 5, 1, 0, 0, GET, "/zkload", NULL};

static host hosts[SERVERS_MAX];
static int host_count, pids[SERVERS_MAX], pid_count, poller;
static int32_t ring_mask;
static connection *connections;
static uint8_t value[1 << 20];
static buffer *key_reads;  /* for each key the frame of a read, xid missing */
static char (*key_paths)[300];
static uint64_t random_state = 88172645463325252ull;

static int is_preparing = 1, is_counting, is_ending;
static long issued, live;
static uint64_t operations, failures, disconnects, arrived_ns, issue_ns;
static int32_t last_error;
static histogram latencies, slice;
static FILE *timeline;
static uint64_t slice_end_ns;
static volatile sig_atomic_t is_told_to_end;
static int pace_timer = -1, next_connection;
static uint64_t due_ns, interval_ns;

static void on_signal(int signal_number) {
  (void)signal_number;
  is_told_to_end = 1;
}

static uint32_t dice(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (uint32_t)(random_state >> 32);
}

/* ---- the timeline ---- */

static void print_slice(void) {
  double end_ms = wall_ms() - (double)(int64_t)(now_ns() - slice_end_ns) / 1e6;
  fprintf(timeline, "%.1f", end_ms);
  for (int b = 0; b < HIST_BUCKETS; b++)
    if (slice.buckets[b]) fprintf(timeline, " %.1f:%llu", hist_value_us(b), (unsigned long long)slice.buckets[b]);
  fputc('\n', timeline);
  memset(&slice, 0, sizeof slice);
  slice_end_ns += SLICE_NS;
}

/* ---- requests and replies ---- */

static int is_exhausted(void) { return options.bulk && issued >= options.bulk; }

static void issue(connection *c) {
  enum mode mode = options.mode;
  int32_t xid = ++c->xid;
  uint32_t key = dice() % (uint32_t)options.keys;
  char path[320];
  uint8_t uncounted = 0;
  if (mode == MIX) mode = (int)(dice() % 100) < options.read_percent ? GET : SET;
  switch (mode) {
    case GET:
    case EXISTS: {
      uint32_t wire_xid = htonl((uint32_t)xid);
      size_t at = c->out.length;
      put_bytes(&c->out, key_reads[key].bytes, key_reads[key].length);
      memcpy(c->out.bytes + at + 4, &wire_xid, 4);
      break;
    }
    case CHILDREN:
      put_read(&c->out, xid, OP_GET_CHILDREN, options.parent, 0);
      break;
    case SET:
      put_set(&c->out, xid, key_paths[key], value, options.value_bytes);
      break;
    case CREATE:
    case DELCREATE:
    default: {
      uint64_t number = mode == CREATE ? c->created : c->created / 2;
      snprintf(path, sizeof path, "%s/c%03d%08llu", options.parent, c->index % 1000, (unsigned long long)number);
      uncounted = mode == DELCREATE && c->created % 2 == 1;
      if (uncounted) put_delete(&c->out, xid, path);
      else put_create(&c->out, xid, path, value, options.value_bytes);
      c->created++;
    }
  }
  issued++;
  c->sent_ns[xid & ring_mask] = issue_ns;
  c->is_uncounted[xid & ring_mask] = uncounted;
  c->outstanding++;
}

static void on_reply(void *of, const uint8_t *frame, int length) {
  connection *c = of;
  if (!c->is_ready) {
    if (length < 20 || get_int(frame + 4) <= 0) die("the session was refused");
    c->is_ready = 1;
    return;
  }
  if (length < 16) die("a reply of %d bytes", length);
  int32_t xid = get_int(frame), error = get_int(frame + 12);
  if (xid < 0) return;
  c->outstanding--;
  if (is_preparing) return; /* errors here: the znode is there already */
  if (error) {
    failures++;
    last_error = error;
  }
  if (!is_counting) return;
  operations++;
  if (c->is_uncounted[xid & ring_mask]) return;
  uint64_t ns = arrived_ns - c->sent_ns[xid & ring_mask];
  hist_add(&latencies, ns);
  if (timeline) hist_add(&slice, ns);
}

static void want(connection *c, int is_blocked) {
  if (c->is_blocked == is_blocked) return;
  c->is_blocked = is_blocked;
  struct epoll_event e = {.events = EPOLLIN | (is_blocked ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}
static void lose(connection *c) {
  disconnects++;
  live--;
  epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
  close(c->fd);
  c->fd = -1;
  c->outstanding = 0;
}
static void flush(connection *c) {
  if (c->fd < 0 || !c->out.length) return;
  int written = write_buffer(c->fd, &c->out);
  if (written < 0) lose(c);
  else want(c, !written);
}
/* Whatever is due by now, on the connections that have room, in turn. */
static void issue_due(void) {
  uint64_t now = now_ns();
  for (int full = 0; due_ns <= now && full < options.connections;) {
    connection *c = &connections[next_connection];
    next_connection = (next_connection + 1) % options.connections;
    if (c->fd < 0 || c->outstanding >= options.outstanding) {
      full++;
      continue;
    }
    full = 0;
    issue_ns = due_ns;
    issue(c);
    flush(c);
    due_ns += interval_ns;
  }
}
static void refill(connection *c) {
  if (is_preparing || is_ending || is_told_to_end) return;
  if (interval_ns) {
    issue_due();
    return;
  }
  issue_ns = now_ns();
  while (c->outstanding < options.outstanding && !is_exhausted()) issue(c);
}
static void pump(int timeout_ms) {
  struct epoll_event events[256];
  int n = epoll_wait(poller, events, 256, timeout_ms);
  for (int i = 0; i < n; i++) {
    connection *c = events[i].data.ptr;
    if (!c) {
      uint64_t ticks;
      if (read(pace_timer, &ticks, sizeof ticks) == sizeof ticks) refill(NULL);
      continue;
    }
    if (c->fd < 0) continue;
    if (events[i].events & EPOLLOUT) flush(c);
    if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
      arrived_ns = now_ns();
      if (timeline && is_counting)
        while (arrived_ns >= slice_end_ns) print_slice();
      if (read_frames(c->fd, &c->in, on_reply, c)) {
        lose(c);
        continue;
      }
      refill(c);
      flush(c);
    }
  }
}

/* ---- the phases ---- */

static void open_sessions(void) {
  poller = epoll_create1(0);
  connections = calloc((size_t)options.connections, sizeof *connections);
  int32_t ring = 1;
  while (ring < options.outstanding * 2) ring *= 2;
  ring_mask = ring - 1;
  for (int i = 0; i < options.connections; i++) {
    connection *c = &connections[i];
    c->index = i;
    c->sent_ns = calloc((size_t)ring, sizeof *c->sent_ns);
    c->is_uncounted = calloc((size_t)ring, 1);
    c->fd = open_socket(&hosts[i % host_count]);
    if (c->fd < 0) die("connect: %s", strerror(errno));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
    live++;
    put_connect(&c->out, options.timeout_ms);
    flush(c);
    uint64_t until = now_ns() + 30000000000ull;
    while (i % 32 == 31 || i == options.connections - 1) { /* no more than a backlog takes */
      int ready = 0;
      for (int k = 0; k <= i; k++) ready += connections[k].is_ready;
      if (ready == i + 1) break;
      if (now_ns() > until || disconnects) die("only %d of %d sessions opened", ready, options.connections);
      pump(100);
    }
  }
}

static void finish_outstanding(connection *c) {
  flush(c);
  while (c->outstanding > 0) pump(100);
  if (disconnects) die("the server closed the connection while znodes were prepared");
}

static void prepare(void) {
  connection *c = &connections[0];
  if (strcmp(options.parent, "/")) {
    c->outstanding++;
    put_create(&c->out, ++c->xid, options.parent, "", 0);
  }
  if (options.mode == CREATE || options.mode == DELCREATE) options.keys = 1;
  key_reads = calloc((size_t)options.keys, sizeof *key_reads);
  key_paths = calloc((size_t)options.keys, sizeof *key_paths);
  for (int k = 0; k < options.keys; k++) {
    snprintf(key_paths[k], sizeof *key_paths, "%s/k%07d", options.parent, k);
    put_read(&key_reads[k], 0, options.mode == EXISTS ? OP_EXISTS : OP_GET_DATA, key_paths[k], 0);
    if (options.mode == CREATE || options.mode == DELCREATE) continue;
    c->outstanding++;
    put_create(&c->out, ++c->xid, key_paths[k], value, options.value_bytes);
    if (k % PREPARE_AT_ONCE == PREPARE_AT_ONCE - 1) finish_outstanding(c);
  }
  finish_outstanding(c);
  for (int i = 1; i < options.connections; i++) { /* every server has seen the znodes */
    connection *d = &connections[i];
    d->outstanding++;
    put_sync(&d->out, ++d->xid, options.parent);
    flush(d);
  }
  for (int i = 1; i < options.connections; i++) finish_outstanding(&connections[i]);
}

static void start_pace(void) {
  interval_ns = (uint64_t)(1e9 / options.rate);
  due_ns = now_ns();
  struct timespec every = {.tv_sec = (time_t)(interval_ns / 1000000000ull), .tv_nsec = (long)(interval_ns % 1000000000ull)};
  struct itimerspec spec = {.it_interval = every, .it_value = every};
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
  pace_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  if (pace_timer < 0 || timerfd_settime(pace_timer, 0, &spec, NULL)) die("timer: %s", strerror(errno));
  epoll_ctl(poller, EPOLL_CTL_ADD, pace_timer, &e);
}

static double server_cpu_us(void) {
  double sum = 0;
  for (int i = 0; i < pid_count; i++) sum += process_cpu_us(pids[i]);
  return sum;
}

static void start_counting(void) {
  operations = 0;
  memset(&latencies, 0, sizeof latencies);
  memset(&slice, 0, sizeof slice);
  slice_end_ns = now_ns() + SLICE_NS;
  is_counting = 1;
}

/* Every request has to be answered some time; one that never is would only look like slowness. */
static void drain(void) {
  uint64_t until = now_ns() + 10000000000ull;
  is_ending = 1;
  is_counting = 0;
  for (int i = 0; i < options.connections; i++)
    while (connections[i].outstanding > 0) {
      if (now_ns() > until) die("connection %d: %d requests were never answered", i, connections[i].outstanding);
      pump(100);
    }
}

static void measure(void) {
  is_preparing = 0;
  uint64_t start = now_ns();
  uint64_t from = start + (options.bulk ? 0 : (uint64_t)(options.warm_seconds * 1e9));
  uint64_t until = from + (uint64_t)(options.seconds * 1e9);
  double server_cpu = 0, client_cpu = 0;
  if (options.rate > 0) start_pace();
  for (int i = 0; i < options.connections; i++) {
    refill(&connections[i]);
    flush(&connections[i]);
  }
  while (live && !is_told_to_end) {
    uint64_t t = now_ns();
    if (!is_counting && t >= from) {
      server_cpu = server_cpu_us();
      client_cpu = own_cpu_us();
      from = now_ns();
      until = from + (uint64_t)(options.seconds * 1e9);
      start_counting();
    }
    if (!options.bulk && is_counting && t >= until) break;
    if (is_exhausted()) {
      int busy = 0;
      for (int i = 0; i < options.connections; i++) busy += connections[i].outstanding;
      if (!busy) break;
    }
    pump(20);
  }
  double seconds = (double)(now_ns() - from) / 1e9;
  server_cpu = server_cpu_us() - server_cpu;
  client_cpu = own_cpu_us() - client_cpu;
  if (is_counting && timeline) print_slice();
  drain();
  if (!operations) die("nothing was measured");
  printf("{\"mode\":\"%s\",\"operations\":%llu,\"seconds\":%.4f,\"opsPerSecond\":%.1f,",
         mode_names[options.mode], (unsigned long long)operations, seconds, (double)operations / seconds);
  hist_print(stdout, &latencies);
  printf(",\"serverCpuUs\":%.0f,\"clientCpuUs\":%.0f,\"errors\":%llu,\"lastError\":%d,\"disconnects\":%llu}\n",
         server_cpu, client_cpu, (unsigned long long)failures, last_error, (unsigned long long)disconnects);
}

static void set_mode(const char *text) {
  for (int i = 0; i < MIX; i++)
    if (!strcmp(text, mode_names[i])) {
      options.mode = (enum mode)i;
      return;
    }
  if (strncmp(text, "mix", 3)) die("no mode %s", text);
  options.mode = MIX;
  if (text[3] == ':') options.read_percent = atoi(text + 4);
}

int main(int argc, char **argv) {
  int option;
  char *servers = "127.0.0.1:2181", *processes = "";
  while ((option = getopt(argc, argv, "h:c:o:t:w:s:k:p:m:T:N:R:P:L:")) != -1) switch (option) {
      case 'h': servers = optarg; break;
      case 'c': options.connections = atoi(optarg); break;
      case 'o': options.outstanding = atoi(optarg); break;
      case 't': options.seconds = atof(optarg); break;
      case 'w': options.warm_seconds = atof(optarg); break;
      case 's': options.value_bytes = atoi(optarg); break;
      case 'k': options.keys = atoi(optarg); break;
      case 'p': options.parent = optarg; break;
      case 'm': set_mode(optarg); break;
      case 'T': options.timeout_ms = atoi(optarg); break;
      case 'N': options.bulk = atol(optarg); break;
      case 'R': options.rate = atof(optarg); break;
      case 'P': processes = optarg; break;
      case 'L': options.timeline = optarg; break;
      default: return 2;
    }
  if (options.outstanding < 1 || options.outstanding > OUTSTANDING_MAX) die("-o 1..%d", OUTSTANDING_MAX);
  if (options.connections < 1 || options.keys < 1) die("-c and -k are at least 1");
  if (options.value_bytes < 0 || options.value_bytes > (int)sizeof value) die("-s 0..%zu", sizeof value);
  if (strlen(options.parent) > 256) die("-p is too long");
  if (options.rate < 0 || (options.rate > 0 && options.bulk)) die("-R is positive and goes without -N");
  if (options.bulk && options.mode != CREATE) die("-N goes with -m create");
  for (char *text = strtok(strdup(servers), ","); text && host_count < SERVERS_MAX; text = strtok(NULL, ","))
    hosts[host_count++] = parse_host(text);
  for (char *text = strtok(strdup(processes), ","); text && pid_count < SERVERS_MAX; text = strtok(NULL, ","))
    pids[pid_count++] = atoi(text);
  if (options.timeline && !(timeline = fopen(options.timeline, "w"))) die("%s: %s", options.timeline, strerror(errno));
  memset(value, 'x', sizeof value);
  signal(SIGTERM, on_signal);
  raise_file_limit();
  open_sessions();
  prepare();
  measure();
  if (timeline && fclose(timeline)) die("timeline: %s", strerror(errno));
  return failures || disconnects ? 1 : 0;
}
