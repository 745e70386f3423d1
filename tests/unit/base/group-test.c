#include "tests/unit/test.h"

#include "libqrexec/base/group.h"
#include "libqrexec/base/paths.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

static int find(const char *text, const char *name, gid_t *ret)
{
    char *dir = test_mkdir(), *path = format_new("%s/group", dir);
    int r;

    assert_non_null(path);
    assert_int_equal(file_replace(path, text, strlen(text), 0644), 0);
    r = group_find(path, name, ret);
    free(path);
    test_rmdir(dir);
    return r;
}

static void a_group_is_found_by_its_whole_name(void **state)
{
    gid_t gid = 7;

    (void)state;
    assert_int_equal(find("a:x:1:\nqubes2:x:2:\nqubes:x:98:user,other\n", "qubes", &gid), 0);
    assert_int_equal(gid, 98);
}

static void without_one_nothing_is_touched(void **state)
{
    gid_t gid = 7;

    (void)state;
    assert_int_equal(find("", "qubes", &gid), -ENOENT);
    assert_int_equal(find("qubes2:x:2:\nqube:x:3:\n#qubes:x:4:\nqubes\nqubes:x:\n", "qubes", &gid),
                     -ENOENT);
    assert_int_equal(group_find("/nowhere/group", "qubes", &gid), -ENOENT);
    assert_int_equal(gid, 7);
}

/* Also where the line is longer than anybody's buffer. */
static void a_group_of_many_members_is_found(void **state)
{
    enum { MEMBERS = 5000 };
    char *text = calloc(MEMBERS, 16), *at;
    gid_t gid = 7;

    (void)state;
    assert_non_null(text);
    at = text + sprintf(text, "all:x:5:user0");
    for (int i = 1; i < MEMBERS; i++)
        at += sprintf(at, ",user%d", i);
    strcpy(at, "\nqubes:x:98:\n");
    assert_int_equal(find(text, "qubes", &gid), 0);
    assert_int_equal(gid, 98);
    free(text);
}

static void a_socket_is_the_group_s_where_there_is_one(void **state)
{
    const struct group *g = getgrnam("qubes");
    char *dir = test_mkdir(), path[PATH_SIZE];
    struct stat before, after;
    int fd;

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/socket", dir), 0);
    assert_int_equal(unix_listen(path, 0660, &fd), 0);
    assert_int_equal(stat(path, &before), 0);
    group_give(path);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_uid, before.st_uid);
    assert_int_equal(after.st_gid, g && geteuid() == 0 ? g->gr_gid : before.st_gid);
    assert_int_equal(after.st_mode, before.st_mode);
    close(fd);
    test_rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_is_found_by_its_whole_name),
        cmocka_unit_test(without_one_nothing_is_touched),
        cmocka_unit_test(a_group_of_many_members_is_found),
        cmocka_unit_test(a_socket_is_the_group_s_where_there_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
