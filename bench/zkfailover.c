/*
 * zkfailover: how long clients wait for their first acknowledged write when the leader is taken from
 * an ensemble. One session that was on a survivor writes again and again, one request at a time; a
 * few more on all servers write now and then; then the signal is sent, and at the same moment another
 * session is begun on a survivor. Whoever is cut off comes back (with its session, if it has one) by
 * trying the survivors in turn.
 *
 * A write counts as the first one when its zxid is of a later epoch than those before the signal: no
 * reply that the old leader had still sent can be taken for it, nor the writes of a leader that stays
 * a while to hand over.
 *
 *   cc -O2 -o zkfailover zkfailover.c
 *   ./zkfailover -h 127.0.0.1:2181,127.0.0.1:2182 -l 127.0.0.1:2183 -k 4711 -s 9 -p /failover
 *
 * -h  survivors, host:port[,host:port...]; the session that is there already is on the first, the
 *     new one on the last
 * -l  the leader's host:port      -k  its pid      -s  number of the signal (default 9)
 * -p  parent path                 -c  sessions of the light load (default 8)
 * -i  ms from one write of such a session to its next (default 20)
 * -w  seconds of that before the signal (default 0.5)
 * -t  seconds until it is given up (default 60)
 *
 * Prints one line of JSON. Exit code 2 when there was nothing to measure, a session was lost or a
 * write was refused.
 */
#include "zkwire.h"
#include <signal.h>
#include <sys/prctl.h>

#define LIGHT_MAX 64
#define RETRY_NS 2000000ull
/* a third of the session's timeout, as the usual clients have it */
#define TIMEOUT_MS 30000
#define ATTEMPT_NS 10000000000ull
#define AFTER_NS 300000000ull

enum { CONNECTED, NEW, LIGHT };

typedef struct {
  int kind, fd, at, is_ready, is_asking;
  int32_t xid;
  session_identity who;
  uint64_t next_ns, attempt_ns; /* when to try or write next; when the attempt was begun */
  char path[300];
  buffer in, out;
} client;

static host servers[LIGHT_MAX + 1];
static int survivor_count, server_count, poller, is_preparing = 1;
static const char *parent = "/failover";
static double pause_ms = 20;
static uint8_t value[100];
static client clients[LIGHT_MAX + 2];
static int client_count;
static uint64_t signal_ns, last_ack_ns, longest_gap_ns, first_ns[2], arrived_ns;
static int64_t epoch;
static long acknowledged, reconnects;

static void begin_attempt(client *c) {
  c->is_ready = c->is_asking = 0;
  c->in.length = c->out.length = c->out.sent = 0;
  c->attempt_ns = now_ns();
  c->fd = open_socket(&servers[c->at]);
  if (c->fd < 0) return;
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
  put_reconnect(&c->out, TIMEOUT_MS, &c->who);
  if (write_buffer(c->fd, &c->out) < 0) {
    close(c->fd);
    c->fd = -1;
  }
}

/* The next one is tried in a moment. */
static void give_up_connection(client *c) {
  if (!signal_ns) die("a connection ended before the leader was taken away");
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  c->at = (c->at + 1) % survivor_count;
  c->next_ns = now_ns() + RETRY_NS;
  reconnects++;
}

static void send_write(client *c) {
  put_set(&c->out, ++c->xid, c->path, value, sizeof value);
  c->is_asking = 1;
  if (write_buffer(c->fd, &c->out) < 0) give_up_connection(c);
}

static void on_acknowledged(client *c, int64_t zxid) {
  acknowledged++;
  if (!signal_ns) epoch = zxid >> 32 > epoch ? zxid >> 32 : epoch;
  else if (c->kind != LIGHT && !first_ns[c->kind] && zxid >> 32 > epoch) first_ns[c->kind] = arrived_ns;
  if (c->kind != CONNECTED) return;
  if (signal_ns && arrived_ns - last_ack_ns > longest_gap_ns) longest_gap_ns = arrived_ns - last_ack_ns;
  last_ack_ns = arrived_ns;
}

static void on_frame(void *of, const uint8_t *frame, int length) {
  client *c = of;
  if (!c->is_ready) {
    if (length < 36) die("a connect reply of %d bytes", length);
    int64_t id = get_long(frame + 8);
    if (!id || (c->who.id && c->who.id != id)) die("a session was lost");
    c->who.id = id;
    memcpy(c->who.password, frame + 20, 16);
    c->is_ready = 1;
    return;
  }
  if (length < 16) die("a reply of %d bytes", length);
  int32_t xid = get_int(frame), error = get_int(frame + 12);
  int64_t zxid = get_long(frame + 4);
  if (xid < 0) return;
  if (zxid > c->who.last_zxid) c->who.last_zxid = zxid;
  c->is_asking = 0;
  if (is_preparing) return; /* errors here: the znode is there already */
  if (error) die("a write was refused: error %d", error);
  on_acknowledged(c, zxid);
}

static void on_time(client *c) {
  uint64_t now = now_ns();
  if (c->fd < 0) {
    if (now < c->next_ns) return;
    begin_attempt(c);
    if (c->fd < 0) give_up_connection(c);
    return;
  }
  if (!c->is_ready && now - c->attempt_ns > ATTEMPT_NS) {
    give_up_connection(c);
    return;
  }
  if (is_preparing || !c->is_ready || c->is_asking) return;
  if (c->kind == LIGHT) {
    if (now < c->next_ns) return;
    c->next_ns += (uint64_t)(pause_ms * 1e6);
    if (c->next_ns < now) c->next_ns = now;
  }
  send_write(c);
}

static void turn(void) {
  struct epoll_event events[64];
  for (int i = 0; i < client_count; i++) on_time(&clients[i]);
  int n = epoll_wait(poller, events, 64, 1);
  for (int i = 0; i < n; i++) {
    client *c = events[i].data.ptr;
    if (c->fd < 0) continue;
    arrived_ns = now_ns();
    if (read_frames(c->fd, &c->in, on_frame, c)) give_up_connection(c);
    else on_time(c);
  }
}

static void turn_for(double seconds) {
  uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
  while (now_ns() < until) turn();
}

static client *add_client(int kind, int at, const char *name) {
  client *c = &clients[client_count++];
  c->kind = kind;
  c->at = at;
  snprintf(c->path, sizeof c->path, "%s/%s", parent, name);
  return c;
}

static void until_idle(client *c, const char *what) {
  uint64_t until = now_ns() + 30000000000ull;
  while (!c->is_ready || c->is_asking) {
    if (now_ns() > until) die("%s within 30 s", what);
    turn();
  }
}

static void create(client *by, const char *path) {
  put_create(&by->out, ++by->xid, path, "", 0);
  by->is_asking = 1;
  if (write_buffer(by->fd, &by->out) < 0) die("the connection ended");
  until_idle(by, "no znode");
}

/* Sessions and znodes; the new session gets only its znode. */
static void prepare(int light_count) {
  char name[32];
  client *connected = add_client(CONNECTED, 0, "connected");
  begin_attempt(connected);
  if (connected->fd < 0) die("connect: %s", strerror(errno));
  until_idle(connected, "no session");
  create(connected, parent);
  create(connected, connected->path);
  snprintf(name, sizeof name, "%s/new", parent);
  create(connected, name);
  for (int i = 0; i < light_count; i++) {
    snprintf(name, sizeof name, "light-%d", i);
    client *c = add_client(LIGHT, i % server_count, name);
    c->next_ns = now_ns() + (uint64_t)(pause_ms * 1e6 * i / light_count);
    begin_attempt(c);
    if (c->fd < 0) die("connect: %s", strerror(errno));
    until_idle(c, "no session");
    create(c, c->path);
  }
}

/* Whoever can says goodbye, or its session ends in the middle of somebody else's measurement. */
static void close_sessions(void) {
  uint64_t until = now_ns() + 1000000000ull;
  for (int i = 0; i < client_count; i++) {
    client *c = &clients[i];
    if (c->fd < 0 || !c->is_ready) continue;
    put_close_session(&c->out, ++c->xid);
    write_buffer(c->fd, &c->out);
  }
  for (int i = 0; i < client_count; i++) {
    uint8_t bytes[4096];
    while (clients[i].fd >= 0 && now_ns() < until) {
      ssize_t n = read(clients[i].fd, bytes, sizeof bytes);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) break;
      if (n < 0) usleep(500);
    }
  }
}

int main(int argc, char **argv) {
  int option, light_count = 8, pid = 0, number = SIGKILL;
  double seconds_before = 0.5, seconds_max = 60;
  char *survivors = "", *leader = "";
  while ((option = getopt(argc, argv, "h:l:k:s:p:c:i:w:t:")) != -1) switch (option) {
      case 'h': survivors = optarg; break;
      case 'l': leader = optarg; break;
      case 'k': pid = atoi(optarg); break;
      case 's': number = atoi(optarg); break;
      case 'p': parent = optarg; break;
      case 'c': light_count = atoi(optarg); break;
      case 'i': pause_ms = atof(optarg); break;
      case 'w': seconds_before = atof(optarg); break;
      case 't': seconds_max = atof(optarg); break;
      default: return 2;
    }
  for (char *text = strtok(strdup(survivors), ","); text && survivor_count < LIGHT_MAX; text = strtok(NULL, ","))
    servers[survivor_count++] = parse_host(text);
  if (!survivor_count || !*leader || pid <= 1) die("-h, -l and -k are needed");
  if (light_count < 0 || light_count > LIGHT_MAX) die("-c 0..%d", LIGHT_MAX);
  if (strlen(parent) > 200) die("-p is too long");
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody is killed for a benchmark that is over */
  server_count = survivor_count;
  servers[server_count++] = parse_host(leader);
  memset(value, 'x', sizeof value);
  poller = epoll_create1(0);
  prepare(light_count);
  is_preparing = 0;
  turn_for(seconds_before);
  if (!epoch) die("no write was acknowledged before the signal");
  signal_ns = now_ns();
  if (kill(pid, number)) die("kill %d: %s", pid, strerror(errno));
  add_client(NEW, survivor_count - 1, "new")->fd = -1;
  while (!first_ns[CONNECTED] || !first_ns[NEW]) {
    if (now_ns() - signal_ns > (uint64_t)(seconds_max * 1e9)) die("no write within %g s", seconds_max);
    turn();
  }
  turn_for((double)AFTER_NS / 1e9);
  printf("{\"connectedMs\":%.2f,\"newMs\":%.2f,\"gapMs\":%.2f,\"acknowledged\":%ld,\"reconnects\":%ld}\n",
         (double)(first_ns[CONNECTED] - signal_ns) / 1e6, (double)(first_ns[NEW] - signal_ns) / 1e6,
         (double)longest_gap_ns / 1e6, acknowledged, reconnects);
  close_sessions();
  return 0;
}
