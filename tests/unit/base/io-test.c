#include "tests/unit/test.h"

#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void replaced_file_has_the_new_content_and_mode(void **state)
{
    char *dir = test_mkdir(), path[PATH_SIZE], *text = NULL;
    struct stat st;
    size_t n;

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/f", dir), 0);
    assert_int_equal(file_replace(path, "old old", 7, 0600), 0);
    assert_int_equal(file_replace(path, "new", 3, 0640), 0);
    assert_int_equal(file_read(path, 100, &text, &n), 0);
    assert_string_equal(text, "new");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    free(text);
    test_rmdir(dir);
}

static void failed_replacement_leaves_the_old_file_alone(void **state)
{
    char *dir = test_mkdir(), path[PATH_SIZE];

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/d", dir), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(file_replace(path, "x", 1, 0600), -EISDIR);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(dir), 0); /* no temporary file is left */
    free(dir);
}

static void a_file_over_the_limit_is_refused(void **state)
{
    char *dir = test_mkdir(), path[PATH_SIZE], *text = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/f", dir), 0);
    assert_int_equal(file_replace(path, "12345", 5, 0600), 0);
    assert_int_equal(file_read(path, 4, &text, &n), -EFBIG);
    assert_null(text);
    assert_int_equal(file_read(path, 5, &text, &n), 0);
    assert_int_equal(n, 5);
    free(text);
    test_rmdir(dir);
}

static void a_dead_socket_is_replaced_a_served_one_is_not(void **state)
{
    char *dir = test_mkdir(), path[PATH_SIZE];
    int a = -1, b = -1;
    struct stat st;

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/s", dir), 0);
    assert_int_equal(unix_listen(path, 0600, &a), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unix_listen(path, 0600, &b), -EADDRINUSE);
    close_fd(&a);
    assert_int_equal(unix_listen(path, 0660, &b), 0);
    close_fd(&b);
    test_rmdir(dir);
}

static void a_file_in_a_sockets_place_stays(void **state)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *path = format_new("%s/f", dir);
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int fd = -1;

    (void)state;
    assert_int_equal(file_replace(path, "text", 4, 0600), 0);
    assert_int_equal(unix_listen(path, 0600, &fd), -EEXIST);
    assert_int_equal(fd, -1);
    assert_int_equal(file_read(path, 100, &text, &n), 0);
    assert_string_equal(text, "text");
    test_rmdir(dir);
}

static void a_long_socket_path_is_an_error_not_cut(void **state)
{
    char path[200];
    int fd = -1;

    (void)state;
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = 0;
    assert_int_equal(unix_listen(path, 0600, &fd), -ENAMETOOLONG);
    assert_int_equal(unix_connect(path, &fd), -ENAMETOOLONG);
    assert_int_equal(fd, -1);
}

static void a_full_queue_is_waited_for_but_not_for_ever(void **state)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *path = format_new("%s/s", dir);
    int listener, first, fd = -1;

    (void)state;
    assert_int_equal(unix_listen(path, 0600, &listener), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(unix_connect_wait(path, 1, &first), 0);
    assert_true(fcntl(first, F_GETFL) & O_NONBLOCK);
    assert_int_equal(unix_connect(path, &fd), -EAGAIN);
    assert_int_equal(unix_connect_wait(path, 1, &fd), -ETIMEDOUT);
    close(listener);
    assert_int_equal(unix_connect_wait(path, 1, &fd), -ECONNREFUSED);
    assert_int_equal(fd, -1);
    close(first);
    test_rmdir(dir);
}

static void remove_all_does_not_follow_links(void **state)
{
    char *dir = test_mkdir(), *other = test_mkdir(), path[PATH_SIZE], kept[PATH_SIZE];

    (void)state;
    assert_int_equal(format(kept, sizeof(kept), "%s/kept", other), 0);
    assert_int_equal(file_replace(kept, "x", 1, 0600), 0);
    assert_int_equal(format(path, sizeof(path), "%s/link", dir), 0);
    assert_int_equal(symlink(other, path), 0);
    test_rmdir(dir);
    assert_int_equal(access(kept, F_OK), 0);
    test_rmdir(other);
}

static void early_end_and_deadline_are_errors(void **state)
{
    char c[4];
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(read_full_until(fds[0], c, 1, clock_ms() + 10), -ETIMEDOUT);
    assert_int_equal(write_full(fds[1], "ab", 2), 0);
    close(fds[1]);
    assert_int_equal(read_full(fds[0], c, 4), -EPIPE);
    close(fds[0]);
}

static void a_private_root_goes_before_every_path(void **state)
{
    char path[PATH_SIZE];

    (void)state;
    assert_int_equal(paths_init("relative", PATHS_TOOL), -EINVAL);
    assert_int_equal(path_get(path, "/run/%s", "x"), 0);
    assert_string_equal(path, "/run/x");
    assert_int_equal(paths_init("/tmp/root/", PATHS_TOOL), 0);
    assert_int_equal(path_get(path, "/run/%s", "x"), 0);
    assert_string_equal(path, "/tmp/root/run/x");
    assert_int_equal(path_program(path, PATH_LIB, "p"), 0);
    assert_string_equal(path, "/tmp/root/usr/lib/qubes/p");
}

static void readiness_reaches_the_supervisor(void **state)
{
    char *dir = test_mkdir(), path[PATH_SIZE], text[32] = "";
    int fd = -1;

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_send("READY=1"), 0);
    assert_int_equal(format(path, sizeof(path), "%s/n", dir), 0);
    assert_int_equal(notify_server(path, &fd), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    assert_int_equal(notify_send("READY=1"), 0);
    assert_int_equal(read(fd, text, sizeof(text) - 1), 7);
    assert_string_equal(text, "READY=1");
    close_fd(&fd);
    unsetenv("NOTIFY_SOCKET");
    test_rmdir(dir);
}

static void a_link_is_removed_if_it_leads_there(void **state)
{
    char *dir = test_mkdir(), path[PATH_SIZE];
    struct stat st;

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/link", dir), 0);
    link_remove(path, "qrexec.7"); /* there is none */
    assert_int_equal(symlink("qrexec.77", path), 0);
    link_remove(path, "qrexec.7");
    link_remove(path, "qrexec.770");
    assert_int_equal(lstat(path, &st), 0);
    link_remove(path, "qrexec.77");
    assert_int_equal(lstat(path, &st), -1);
    assert_int_equal(file_replace(path, "qrexec.77", 9, 0600), 0);
    link_remove(path, "qrexec.77"); /* no link */
    assert_int_equal(access(path, F_OK), 0);
    test_rmdir(dir);
}

/* As by a program that ignores SIGCHLD and blocks what it handles elsewhere: both are inherited. */
static void whoever_starts_a_program_its_children_are_heard_of(void **state)
{
    sigset_t all, now;
    int status;
    pid_t pid;

    (void)state;
    sigfillset(&all);
    assert_int_equal(sigprocmask(SIG_SETMASK, &all, NULL), 0);
    assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    assert_int_equal(process_begin(), 0);
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &now), 0);
    for (int i = 1; i < NSIG; i++)
        assert_int_not_equal(sigismember(&now, i), 1);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(5);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaced_file_has_the_new_content_and_mode),
        cmocka_unit_test(failed_replacement_leaves_the_old_file_alone),
        cmocka_unit_test(a_file_over_the_limit_is_refused),
        cmocka_unit_test(a_dead_socket_is_replaced_a_served_one_is_not),
        cmocka_unit_test(a_file_in_a_sockets_place_stays),
        cmocka_unit_test(a_long_socket_path_is_an_error_not_cut),
        cmocka_unit_test(a_full_queue_is_waited_for_but_not_for_ever),
        cmocka_unit_test(remove_all_does_not_follow_links),
        cmocka_unit_test(a_link_is_removed_if_it_leads_there),
        cmocka_unit_test(early_end_and_deadline_are_errors),
        cmocka_unit_test(a_private_root_goes_before_every_path),
        cmocka_unit_test(readiness_reaches_the_supervisor),
        cmocka_unit_test(whoever_starts_a_program_its_children_are_heard_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
