/*
 * zkfirst: when does a server that is being started answer? Connects again and again until a session
 * opens and getData of the path succeeds, and prints the wall clock of that moment in milliseconds.
 *
 *   cc -O2 -o zkfirst zkfirst.c
 *   ./zkfirst -h 127.0.0.1:2181 -p / -t 60
 */
#include "zkwire.h"
#include <sys/time.h>

#define RETRY_US 5000
/* A server that is being started may take a connection and forget it. */
#define ATTEMPT_SECONDS 1
static int is_ready, is_answered;

static void on_frame(void *of, const uint8_t *frame, int length) {
  (void)of;
  if (!is_ready) is_ready = length >= 20 && get_int(frame + 4) > 0;
  else if (length >= 16 && get_int(frame + 12) == 0) is_answered = 1;
}

/* Whether that connection got as far as the answer. */
static int is_answering(const host *server, const char *path) {
  int fd = open_socket(server);
  if (fd < 0) return 0;
  struct timeval limit = {.tv_sec = ATTEMPT_SECONDS};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  buffer in = {0}, out = {0};
  is_ready = is_answered = 0;
  put_connect(&out, 30000);
  if (write_buffer(fd, &out) == 1 && !read_frames(fd, &in, on_frame, NULL) && is_ready) {
    put_read(&out, 1, OP_GET_DATA, path, 0);
    if (write_buffer(fd, &out) == 1) read_frames(fd, &in, on_frame, NULL);
  }
  close(fd);
  free(in.bytes);
  free(out.bytes);
  return is_answered;
}

int main(int argc, char **argv) {
  int option, seconds = 60;
  const char *server = "127.0.0.1:2181", *path = "/";
  while ((option = getopt(argc, argv, "h:p:t:")) != -1) switch (option) {
      case 'h': server = optarg; break;
      case 'p': path = optarg; break;
      case 't': seconds = atoi(optarg); break;
      default: return 2;
    }
  host at = parse_host(server);
  uint64_t until = now_ns() + (uint64_t)seconds * 1000000000ull;
  while (!is_answering(&at, path)) {
    if (now_ns() > until) die("no answer within %d s", seconds);
    usleep(RETRY_US);
  }
  printf("%.3f\n", wall_ms());
  return 0;
}
