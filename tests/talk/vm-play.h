/*
 * One talk that runs, and what its steps do: for vm-talk.c alone. A step that finds what it should
 * not fails the test, with the line.
 */
#ifndef QREXEC_TESTS_TALK_VM_PLAY_H
#define QREXEC_TESTS_TALK_VM_PLAY_H

#include "tests/talk/daemon-bytes.h"
#include "tests/talk/vm-talk.h"

#define MOST_ENDS 24
#define LINE_MOST 8192

struct end {
    char name[16];
    int fd;
    bool listener, ignored;
};

/* One talk that runs. */
struct play {
    const struct talk *talk;
    struct world *w;
    struct end ends[MOST_ENDS];
    size_t n_ends;
    pid_t pid; /* of run; 0: none */
    char idents[26][32];
    unsigned calls;  /* that are not over */
    size_t log_from; /* where this row's part begins */
    const char *line;
    struct bytes bytes, got, cut;
};

extern unsigned patience; /* milliseconds for what must come */

void fail_line(const struct play *p, const char *why);
void check(const struct play *p, bool ok, const char *why);
struct end *find_end(struct play *p, const char *name);
struct end *set_end(struct play *p, const char *name, int fd, bool listener);
struct end *get_end(struct play *p, const char *name);
bool wait_for(int fd, short events, int ms);
void dial(struct play *p, const char *name, const char *path);
void listen_at(struct play *p, const char *name, const char *path);
void take_connection(struct play *p, const char *name, const char *listener);
void listen_tcp(struct play *p, const char *name, char *rest);
void print_bytes(const char *what, const unsigned char *data, size_t n);
size_t hear(int fd, unsigned char *data, size_t n);
void compare(struct play *p, const void *data, size_t n);
void expect_bytes(struct play *p, int fd);
void expect_end(struct play *p, struct end *e, bool half);
void expect_rest(struct play *p, struct end *e, bool exact);
void say(struct play *p, int fd, const struct bytes *b, bool must);
void read_bytes(struct play *p, const char *text);
void say_text(struct play *p, int fd, const char *text);
void hear_text(struct play *p, int fd, const char *text);
char *first_word(char **rest);
void wait_there(struct play *p, const char *path, bool there);
void daemon_mute(struct play *p);
void daemon_hello(struct play *p, const char *version);
void daemon_back(struct play *p, const char *version);
void expect_asked(struct play *p, struct end *e, char *rest);
void start_call(struct play *p, const char *type, char *rest);
void expect_over(struct play *p, const char *port);
void expect_result(struct play *p, char *rest);
void strange_listen(struct play *p, const char *name, const char *path);
void strange_dial(struct play *p, const char *name, const char *path);
void start_program(struct play *p, char *rest);
void run_program(struct play *p, char *rest);
void expect_exit(struct play *p, const char *code);
void set_variable(char *pair);

#endif
