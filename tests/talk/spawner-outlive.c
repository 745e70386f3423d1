/* A spawner whose domains outlive its helper: see spawner-outlive.h. */
#include "tests/talk/spawner-outlive.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>

const char *for_vm(const char *method, const char *name)
{
    static char header[256];

    assert_int_equal(format(header, sizeof(header), "%s+ dom0 name %s", method, name), 0);
    return header;
}

void put_file(const struct stage *s, const char *name)
{
    char path[4300];

    assert_int_equal(format(path, sizeof(path), "%s/%s", s->root, name), 0);
    assert_int_equal(file_replace(path, "", 0, 0600), 0);
}

void remove_file(const struct stage *s, const char *name)
{
    char path[4300];

    assert_int_equal(format(path, sizeof(path), "%s/%s", s->root, name), 0);
    assert_int_equal(unlink(path), 0);
}

/* How many domains live: somebody else's is always there. */
size_t living(const struct stage *s)
{
    _cleanup_(freep) char *text = NULL;
    char path[4300];
    size_t n, lines = 0;

    assert_int_equal(format(path, sizeof(path), "%s/living", s->root), 0);
    assert_int_equal(file_read(path, 1 << 20, &text, &n), 0);
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    return lines - 1;
}

/* A spawner whose helper's domains outlive it; "work" runs. */
void outliving_begin(struct stage *s)
{
    s->root = test_mkdir();
    put_file(s, "living");
    stage_run(s);
    stage_dvm(s, "dvm");
    stage_create(s, "work");
    stage_create(s, "idle");
    stage_expect(s, WORK("admin.vm.Start+"), "", "");
}

void kill_helper(const struct stage *s)
{
    pid_t old = stage_helper(s);

    kill(old, SIGKILL);
    for (int i = 0; i < 500 && stage_helper(s) == old; i++)
        poll(NULL, 0, 10);
    assert_int_not_equal(stage_helper(s), old);
}

/* The helper cannot tidy up: as if killed with its front. */
void kill_both(struct stage *s)
{
    pid_t helper = stage_helper(s);

    kill(helper, SIGSTOP);
    stage_kill(s);
    kill(helper, SIGKILL);
}

int start(const struct stage *s, const char *name)
{
    char line[64];
    int fd = stage_send(s, false, for_vm("admin.vm.Start", name), "", true);

    assert_int_equal(format(line, sizeof(line), "create %s", name), 0);
    stage_helper_did(s, line);
    return fd;
}

void expect_done(int fd)
{
    struct bytes b;

    stage_read(fd, &b, SOON_MS);
    assert_int_equal(b.len, 2);
    assert_memory_equal(b.data, "0", 2);
}

void expect_failed(int fd, const char *why)
{
    struct bytes b;

    stage_read(fd, &b, SOON_MS);
    assert_memory_equal(b.data, "2\0QubesVMError", 15);
    if (!memmem(b.data, b.len, why, strlen(why)))
        fail_msg("another reason than \"%s\": %s", why, b.data + 17);
}

/* Once: "NAME", or "NAME starting". */
void adopted(const struct stage *s, const char *name)
{
    char line[64];

    assert_int_equal(format(line, sizeof(line), "adopt %s", name), 0);
    stage_helper_did(s, line);
    assert_int_equal(stage_helper_times(s, line), 1);
}

void expect_event(int fd, const void *bytes, size_t n, const char *but)
{
    struct bytes b;

    stage_read_until(fd, &b, bytes, n);
    if (but && memmem(b.data, b.len, but, strlen(but)))
        fail_msg("the event %s came", but);
}
