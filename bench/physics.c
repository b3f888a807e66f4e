/*
 * physics: what this machine can do without any server of ours or theirs, measured in the same run.
 *
 *   cc -O2 -o physics physics.c
 *   ./physics echo -c 64 -t 2        50 bytes to a C epoll echo in another process and back
 *   ./physics fdatasync -d DIR -t 2  4 KB appended to a 64 MB preallocated file, each made durable
 *
 * Prints one line of JSON each.
 */
#include "zkwire.h"
#include <signal.h>
#include <sys/wait.h>

#define MESSAGE_BYTES 50
#define BLOCK_BYTES 4096
#define FILE_BYTES (64 << 20)

static histogram latencies;

static void serve_echo(int listener) {
  int poller = epoll_create1(0);
  struct epoll_event events[256], e = {.events = EPOLLIN, .data.fd = listener};
  static uint8_t bytes[65536];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    int n = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd, one = 1;
      if (fd == listener) {
        fd = accept(listener, NULL, NULL);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        e.data.fd = fd;
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
        continue;
      }
      ssize_t length = read(fd, bytes, sizeof bytes);
      if (length <= 0) close(fd);
      else if (send(fd, bytes, (size_t)length, MSG_NOSIGNAL) != length) close(fd);
    }
  }
}

static void echo(int connections, double seconds) {
  host at = {.at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof at.at;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&at.at, sizeof at.at) || listen(listener, 1024) ||
      getsockname(listener, (struct sockaddr *)&at.at, &size))
    die("listen: %s", strerror(errno));
  pid_t server = fork();
  if (server == 0) serve_echo(listener);
  close(listener);
  int poller = epoll_create1(0);
  int *sockets = calloc((size_t)connections, sizeof *sockets);
  uint64_t *sent = calloc((size_t)connections, sizeof *sent);
  uint8_t message[MESSAGE_BYTES] = {0}, back[65536];
  for (int i = 0; i < connections; i++) {
    if ((sockets[i] = open_socket(&at)) < 0) die("connect: %s", strerror(errno));
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    epoll_ctl(poller, EPOLL_CTL_ADD, sockets[i], &e);
    sent[i] = now_ns();
    if (write(sockets[i], message, sizeof message) != MESSAGE_BYTES) die("write");
  }
  uint64_t from = now_ns() + 300000000ull, until = from + (uint64_t)(seconds * 1e9), t;
  while ((t = now_ns()) < until) {
    struct epoll_event events[256];
    int n = epoll_wait(poller, events, 256, 1000);
    for (int i = 0; i < n; i++) {
      uint32_t k = events[i].data.u32;
      if (read(sockets[k], back, sizeof back) != MESSAGE_BYTES) die("the echo came back short");
      uint64_t arrived = now_ns();
      if (sent[k] >= from) hist_add(&latencies, arrived - sent[k]);
      sent[k] = arrived;
      if (write(sockets[k], message, sizeof message) != MESSAGE_BYTES) die("write");
    }
  }
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  printf("{\"connections\":%d,\"opsPerSecond\":%.0f,", connections, (double)latencies.count / ((double)(t - from) / 1e9));
}

/* As the servers write: the file is padded to its size without filling it, blocks come when written. */
static void durable_append(const char *directory, double seconds) {
  static uint8_t block[BLOCK_BYTES];
  char file[4096];
  memset(block, 'x', sizeof block);
  snprintf(file, sizeof file, "%s/physics.%d", directory, (int)getpid());
  uint64_t from = now_ns(), until = from + (uint64_t)(seconds * 1e9), t;
  off_t at = FILE_BYTES;
  int fd = -1;
  while ((t = now_ns()) < until) {
    if (at >= FILE_BYTES) {
      if (fd >= 0) close(fd);
      fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
      if (fd < 0 || pwrite(fd, "", 1, FILE_BYTES - 1) != 1 || fsync(fd)) die("%s: %s", file, strerror(errno));
      at = 0;
      continue;
    }
    if (pwrite(fd, block, sizeof block, at) != BLOCK_BYTES || fdatasync(fd)) die("%s: %s", file, strerror(errno));
    at += BLOCK_BYTES;
    hist_add(&latencies, now_ns() - t);
  }
  close(fd);
  unlink(file);
  printf("{\"bytes\":%d,\"opsPerSecond\":%.0f,", BLOCK_BYTES, (double)latencies.count / ((double)(t - from) / 1e9));
}

int main(int argc, char **argv) {
  int option, connections = 64;
  double seconds = 2;
  const char *what = argc > 1 ? argv[1] : "", *directory = ".";
  optind = 2;
  while (argc > 1 && (option = getopt(argc, argv, "c:d:t:")) != -1) switch (option) {
      case 'c': connections = atoi(optarg); break;
      case 'd': directory = optarg; break;
      case 't': seconds = atof(optarg); break;
      default: return 2;
    }
  if (!strcmp(what, "echo")) echo(connections, seconds);
  else if (!strcmp(what, "fdatasync")) durable_append(directory, seconds);
  else die("physics echo|fdatasync");
  hist_print(stdout, &latencies);
  printf("}\n");
  return 0;
}
