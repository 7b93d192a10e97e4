/*
 * An open-loop HTTP/1.1 load generator: requests are due at Poisson instants whatever the answers do, and latency
 * counts from the instant a request was due, so that a stalled server is charged for everybody it kept waiting
 * (what closed loops leave out: "coordinated omission"). Linux; one thread that never sleeps, so run it with
 * `chrt -i 0`: it then uses the core only while nobody else wants it.
 *
 *   open-loop port=P rate=N seconds=S [warm=S] [connections=N] [active=N] [post=PERCENT] [body=BYTES] [sleep=1]
 *
 * All connections are opened first, each with one request; then it prints {"open":N}. Each line on stdin begins a run,
 * each run ends with one JSON object; the end of stdin ends a run early. With sleep=1 it does sleep, up to a
 * millisecond, for when precision is not the point.
 *
 * It is C because a garbage-collected generator has pauses of its own, larger than the ones it is here to see.
 * It understands answers with a Content-Length, and nothing else.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "histogram.h"

enum {
  USERS = 1000,
  HEAD_MAX = 2048,
  OPENING_MAX = 64,       /* connections being opened at one time, below every backlog */
  FAILURES_MAX = 20000,   /* described one by one; all are counted */
  WAITING_MAX = 1 << 20,  /* requests that are due while every connection is busy */
  OPEN_WITHIN_US = 60000000,
  ANSWER_WITHIN_US = 10000000,
  RECONNECT_AFTER_US = 20000,
  MEND_EVERY_US = 20000
};
static const unsigned STDIN_ID = ~0u;

enum state { CLOSED, CONNECTING, IDLE, BUSY };
enum kind { REFUSED, RESET, CLOSED_EARLY, TRUNCATED, BAD_STATUS, UNREADABLE, TIMEOUT, KINDS };
static const char *const kind_names[KINDS] = {"refused", "reset", "closed", "truncated", "status", "unreadable", "timeout"};

struct request {
  char *text;
  int length;
};

struct connection {
  int fd, is_post, status, head_length;
  int is_queued; /* has a place in the ring of idle connections */
  enum state state;
  long answered, body_left; /* body_left: -1 while the head is incomplete */
  double due_us; /* 0 for a request that is not measured */
  double since_us; /* begun, or closed */
  const char *unsent;
  int unsent_length;
  char head[HEAD_MAX];
};

struct failure {
  long long at_ms;
  enum kind kind;
  int status, is_post, is_reused;
};

static struct {
  int port, connections, active, post_percent, body, sleep;
  double rate, seconds, warm;
} option = {.connections = 64, .rate = 1000, .seconds = 1};

static struct connection *connections;
static struct request gets[USERS], posts[USERS];
static int *idle, idle_first, idle_count; /* a ring: the connections take turns */
static int epoll_fd, is_opening, opened, is_told_to_go, is_ended;
static unsigned *latencies, *lags;
static struct failure failures[FAILURES_MAX];
static long failure_counts[KINDS], failed, answered, sent, idle_closes, failures_kept;
static double now_us;
static unsigned long long seed = 88172645463325252ull;

static void die(const char *what) {
  fprintf(stderr, "open-loop: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void tick(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  now_us = t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static double random_ratio(void) {
  seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
  return (seed >> 11) * 0x1p-53;
}

static void fail(struct connection *c, enum kind kind) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  failed++, failure_counts[kind]++;
  if (failures_kept < FAILURES_MAX)
    failures[failures_kept++] = (struct failure){t.tv_sec * 1000ll + t.tv_nsec / 1000000, kind, c->status, c->is_post, c->answered > 0};
}

static void watch(struct connection *c, int operation, unsigned events) {
  struct epoll_event event = {.events = events, .data.u32 = (unsigned)(c - connections)};
  epoll_ctl(epoll_fd, operation, c->fd, &event);
}

static void shut(struct connection *c) {
  close(c->fd);
  c->fd = -1, c->state = CLOSED, c->since_us = now_us;
}

static void begin_connect(struct connection *c) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(option.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) die("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  c->state = CONNECTING, c->answered = 0, c->is_post = 0, c->status = 0, c->due_us = 0;
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
    fail(c, REFUSED), shut(c);
    return;
  }
  watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void write_rest(struct connection *c) {
  while (c->unsent_length > 0) {
    ssize_t n = send(c->fd, c->unsent, c->unsent_length, MSG_NOSIGNAL);
    if (n < 0) {
      /* What else went wrong is seen by the next read, with what the peer still said. */
      if (errno == EAGAIN) watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
      return;
    }
    c->unsent += n, c->unsent_length -= n;
  }
}

static void begin_request(struct connection *c, double due_us) {
  static unsigned turn;
  c->is_post = option.post_percent > 0 && random_ratio() * 100 < option.post_percent;
  const struct request *request = &(c->is_post ? posts : gets)[turn++ % USERS];
  c->state = BUSY, c->due_us = due_us, c->head_length = 0, c->body_left = -1, c->status = 0, c->since_us = now_us;
  c->unsent = request->text, c->unsent_length = request->length;
  sent++;
  write_rest(c);
}

/* The first `active` connections do the work, the others are only there. */
static void make_idle(struct connection *c) {
  int id = (int)(c - connections);
  c->state = IDLE;
  if (is_opening || c->is_queued || id >= option.active) return;
  c->is_queued = 1;
  idle[(idle_first + idle_count++) % option.connections] = id;
}

/* One that was closed while it waited is skipped. */
static struct connection *next_idle(void) {
  while (idle_count > 0) {
    struct connection *c = &connections[idle[idle_first]];
    idle_first = (idle_first + 1) % option.connections, idle_count--;
    c->is_queued = 0;
    if (c->state == IDLE) return c;
  }
  return NULL;
}

static void finish(struct connection *c) {
  answered++;
  if (c->answered++ == 0 && is_opening) opened++;
  if (c->due_us > 0) {
    tick();
    count(latencies, now_us - c->due_us);
  }
  if (c->status != 200) fail(c, BAD_STATUS);
  if (strcasestr(c->head, "\r\nconnection: close") != NULL || c->unsent_length > 0) shut(c), begin_connect(c);
  else make_idle(c);
}

static void lose(struct connection *c, int is_reset) {
  if (c->state == BUSY) fail(c, c->head_length > 0 ? TRUNCATED : is_reset ? RESET : CLOSED_EARLY);
  else if (c->state == IDLE) idle_closes++;
  shut(c);
}

/* The head is collected in c->head; of the body only the length is kept. */
static void take(struct connection *c, const char *bytes, int length) {
  if (c->body_left < 0) {
    int before = c->head_length, room = HEAD_MAX - 1 - before, n = length < room ? length : room;
    memcpy(c->head + before, bytes, n);
    c->head_length += n, c->head[c->head_length] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    char *field = end == NULL ? NULL : strcasestr(c->head, "\r\ncontent-length:");
    if ((end == NULL && n == room) || (end != NULL && (field == NULL || field > end))) {
      fail(c, UNREADABLE), shut(c);
      return;
    }
    if (end == NULL) return;
    c->status = atoi(c->head + 9);
    int used = (int)(end + 4 - c->head) - before;
    end[2] = 0;
    c->body_left = atol(field + 17);
    length -= used;
  }
  c->body_left -= length;
  if (c->body_left == 0) finish(c);
  else if (c->body_left < 0) fail(c, UNREADABLE), shut(c);
}

static void on_event(struct connection *c, unsigned events) {
  static char buffer[1 << 18];
  if (c->state == CLOSED) return;
  if (c->state == CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      fail(c, REFUSED), shut(c);
      return;
    }
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    if (is_opening) begin_request(c, 0);
    else make_idle(c);
    return;
  }
  if (events & EPOLLOUT) watch(c, EPOLL_CTL_MOD, EPOLLIN), write_rest(c);
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  ssize_t n = read(c->fd, buffer, sizeof buffer);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) lose(c, n < 0);
  else if (c->state != BUSY) fail(c, UNREADABLE), shut(c);
  else take(c, buffer, n);
}

static void on_stdin(void) {
  char byte = 0;
  if (read(0, &byte, 1) <= 0) is_ended = 1, epoll_ctl(epoll_fd, EPOLL_CTL_DEL, 0, NULL);
  else if (byte == '\n') is_told_to_go = 1;
}

static void poll_events(int wait_ms) {
  struct epoll_event events[256];
  int n = epoll_wait(epoll_fd, events, 256, wait_ms);
  tick();
  for (int i = 0; i < n; i++) {
    if (events[i].data.u32 == STDIN_ID) on_stdin();
    else on_event(&connections[events[i].data.u32], events[i].events);
  }
}

/* Once in a while: closed connections are opened again, and answers that never came are given up. */
static void mend(void) {
  static double next_us;
  if (now_us < next_us) return;
  next_us = now_us + MEND_EVERY_US;
  for (int i = 0; i < option.connections; i++) {
    struct connection *c = &connections[i];
    if (c->state == CLOSED && now_us - c->since_us > RECONNECT_AFTER_US) begin_connect(c);
    if (c->state == BUSY && now_us - c->since_us > ANSWER_WITHIN_US) fail(c, TIMEOUT), shut(c);
  }
}

static void open_all(void) {
  int begun = 0;
  tick();
  double deadline_us = now_us + OPEN_WITHIN_US;
  for (is_opening = 1; opened < option.connections; poll_events(1)) {
    while (begun < option.connections && begun - opened < OPENING_MAX) begin_connect(&connections[begun++]);
    if (failed > 0 || now_us > deadline_us) {
      fprintf(stderr, "open-loop: only %d of %d connections could be opened on port %d: %s %d\n", opened, option.connections,
              option.port, failed > 0 ? kind_names[failures[0].kind] : "too slow", failures[0].status);
      exit(1);
    }
  }
  is_opening = 0;
  for (int i = 0; i < option.active; i++) make_idle(&connections[i]);
}

static double gap_us(void) { return -log(1 - random_ratio()) * 1e6 / option.rate; }

static void run(void) {
  static double waiting[WAITING_MAX];
  long first = 0, last = 0;
  tick();
  double measured_us = now_us + option.warm * 1e6, end_us = measured_us + option.seconds * 1e6, due_us = now_us + gap_us();
  while (now_us < end_us && !is_ended) {
    for (; due_us <= now_us && due_us < end_us; due_us += gap_us()) {
      if (due_us >= measured_us) count(lags, now_us - due_us);
      if (last - first == WAITING_MAX) {
        fprintf(stderr, "open-loop: the server cannot follow %.0f requests/s\n", option.rate);
        exit(2);
      }
      waiting[last++ % WAITING_MAX] = due_us;
    }
    for (struct connection *c; first < last && (c = next_idle()) != NULL; first++) {
      double due = waiting[first % WAITING_MAX];
      begin_request(c, due >= measured_us ? due : 0);
    }
    poll_events(option.sleep);
    mend();
  }
  /* Whoever still waits is charged for it up to here; answers under way have the usual time. */
  for (; first < last; first++)
    if (waiting[first % WAITING_MAX] >= measured_us) count(latencies, now_us - waiting[first % WAITING_MAX]);
  for (double deadline_us = now_us + ANSWER_WITHIN_US; now_us < deadline_us;) {
    int busy = 0;
    for (int i = 0; i < option.connections; i++) busy += connections[i].state == BUSY;
    if (busy == 0) break;
    poll_events(1);
    mend();
  }
}

static void report(void) {
  printf("{\"sent\":%ld,\"answered\":%ld,\"failed\":%ld,\"idleCloses\":%ld,\"kinds\":{", sent, answered, failed, idle_closes);
  for (int i = 0; i < KINDS; i++) printf("%s\"%s\":%ld", i ? "," : "", kind_names[i], failure_counts[i]);
  printf("},");
  print_quantiles("latencyUs", latencies);
  printf(",");
  print_quantiles("lagUs", lags);
  printf(",\"failures\":[");
  for (int i = 0; i < failures_kept; i++) {
    const struct failure *f = &failures[i];
    printf("%s{\"atMs\":%lld,\"kind\":\"%s\",\"status\":%d,\"isPost\":%s,\"isReused\":%s}", i ? "," : "", f->at_ms,
           kind_names[f->kind], f->status, f->is_post ? "true" : "false", f->is_reused ? "true" : "false");
  }
  printf("]}\n");
  fflush(stdout);
}

static void forget(void) {
  memset(latencies, 0, BUCKETS * sizeof *latencies), memset(lags, 0, BUCKETS * sizeof *lags);
  memset(failure_counts, 0, sizeof failure_counts);
  failed = answered = sent = idle_closes = failures_kept = 0;
}

static struct request format_request(int user, int is_post) {
  int size = 512 + (is_post ? option.body : 0);
  struct request request = {malloc(size), 0};
  request.length = snprintf(request.text, 512, "%s %s HTTP/1.1\r\nhost: 127.0.0.1\r\nx-user-id: user-%d\r\naccept: application/json\r\n",
                            is_post ? "POST" : "GET", is_post ? "/upload" : "/api/items", user + 1);
  if (is_post) request.length += snprintf(request.text + request.length, 64, "content-length: %d\r\n", option.body);
  memcpy(request.text + request.length, "\r\n", 2), request.length += 2;
  if (is_post) memset(request.text + request.length, 'x', option.body), request.length += option.body;
  return request;
}

static void parse(const char *argument) {
  const char *value = strchr(argument, '=');
  double number = value == NULL ? 0 : atof(value + 1);
#define IS(name) (strncmp(argument, name "=", sizeof name) == 0)
  if (IS("port")) option.port = number;
  else if (IS("rate")) option.rate = number;
  else if (IS("seconds")) option.seconds = number;
  else if (IS("warm")) option.warm = number;
  else if (IS("connections")) option.connections = number;
  else if (IS("active")) option.active = number;
  else if (IS("post")) option.post_percent = number;
  else if (IS("body")) option.body = number;
  else if (IS("sleep")) option.sleep = number;
  else errno = EINVAL, die(argument);
}

int main(int argc, char **argv) {
  struct rlimit files;
  for (int i = 1; i < argc; i++) parse(argv[i]);
  if (option.active == 0) option.active = option.connections;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
  connections = calloc(option.connections, sizeof *connections), idle = calloc(option.connections, sizeof *idle);
  latencies = calloc(BUCKETS, sizeof *latencies), lags = calloc(BUCKETS, sizeof *lags);
  for (int i = 0; i < USERS; i++) {
    gets[i] = format_request(i, 0);
    if (option.post_percent > 0) posts[i] = format_request(i, 1);
  }
  epoll_fd = epoll_create1(0);
  open_all();
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = STDIN_ID};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &event) < 0) die("stdin");
  printf("{\"open\":%d}\n", opened);
  fflush(stdout);
  for (;;) {
    for (is_told_to_go = 0; !is_told_to_go && !is_ended; mend()) poll_events(500);
    if (is_ended) return 0;
    forget();
    run();
    report();
  }
}
