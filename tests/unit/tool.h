/* What tests of a command have in common: it is run with stand-ins, and all that it says is kept.
 */
#ifndef QREXEC_TESTS_UNIT_TOOL_H
#define QREXEC_TESTS_UNIT_TOOL_H

#include "tests/unit/test.h"

#include "libqrexec/base/spawn.h"

#define MOST_WORDS 12
#define OWN_INPUT  "own input\n"

struct tool_result {
    int code;
    char out[2048], err[2048];
};

/* The stand-ins, and the files in, out, err. */
static char *tool_dir;

static inline void tool_read(const char *name, char *ret, size_t size)
{
    _cleanup_(freep) char *path = format_new("%s/%s", tool_dir, name);
    _cleanup_(freep) char *text = NULL;
    size_t n;

    assert_int_equal(file_read(path, size - 1, &text, &n), 0);
    memcpy(ret, text, n + 1);
}

static inline void tool_write(const char *name, const char *text, mode_t mode)
{
    _cleanup_(freep) char *path = format_new("%s/%s", tool_dir, name);

    assert_int_equal(file_replace(path, text, strlen(text), mode), 0);
}

static inline int tool_open(const char *name, int flags)
{
    _cleanup_(freep) char *path = format_new("%s/%s", tool_dir, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

static inline void tool_begin(void)
{
    tool_dir = test_mkdir();
    tool_write("in", OWN_INPUT, 0644);
}

/* program: below the build tree. ret_pidfd: may be NULL. */
static inline pid_t tool_spawn(const char *program, const char *name, const char *const *words,
                               int *ret_pidfd)
{
    const char *build = getenv("builddir");
    _cleanup_(freep) char *path = format_new("%s/%s", build ? build : ".", program);
    char *argv[MOST_WORDS + 2] = {(char *)name};
    int fds[] = {tool_open("in", O_RDONLY), tool_open("out", O_WRONLY | O_CREAT | O_TRUNC),
                 tool_open("err", O_WRONLY | O_CREAT | O_TRUNC)};
    pid_t pid;

    for (size_t i = 0; i < MOST_WORDS && words[i]; i++)
        argv[i + 1] = (char *)words[i];
    assert_int_equal(
        spawn_process(&(struct spawn){.path = path, .argv = argv, .fds = fds, .n_fds = 3}, &pid,
                      ret_pidfd),
        0);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
    return pid;
}

static inline struct tool_result tool_finish(pid_t pid)
{
    struct tool_result r = {.code = spawn_wait(pid)};

    tool_read("out", r.out, sizeof(r.out));
    tool_read("err", r.err, sizeof(r.err));
    return r;
}

#endif
