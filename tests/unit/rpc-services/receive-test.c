/* The receiver of qubes.Filecopy, fed with streams that senders would and would not send. */
#include "tests/unit/test.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/paths.h"
#include "rpc-services/receive.h"

#include <sys/mman.h>
#include <sys/stat.h>

/* ---- A file system that cannot make nameless files ---- */

static bool no_tmpfile;
static const char *moved_from, *moved_to; /* just before the next file is made */

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);

int __wrap_openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (moved_from && (flags & O_TMPFILE) == O_TMPFILE) {
        assert_int_equal(rename(moved_from, moved_to), 0);
        assert_int_equal(symlink(moved_to, moved_from), 0);
        moved_from = NULL;
    }
    if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return __real_openat(dir, path, flags, mode);
}

/* ---- Streams ---- */

struct fixture {
    char *dir;
    struct buf stream;
    struct receiver r;
    int error;          /* what receive() returned */
    uint32_t told, crc; /* what it answered */
    char name[20000];
    size_t answer_size;
    off_t taken; /* bytes of the stream that were read */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->stream = BUF_NULL(1 << 26);
    f->dir = test_mkdir();
    no_tmpfile = false;
    umask(0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    test_rmdir(f->dir);
    buf_deinit(&f->stream);
    free(f);
    return 0;
}

static void put(struct fixture *f, const void *data, size_t n)
{
    assert_int_equal(buf_append(&f->stream, data, n), 0);
}

static void put_header(struct fixture *f, const struct filecopy_header *h)
{
    unsigned char raw[FILECOPY_HEADER];

    filecopy_put_header(raw, h);
    put(f, raw, sizeof(raw));
}

static void put_entry(struct fixture *f, const char *name, uint32_t mode, const char *content)
{
    size_t n = content ? strlen(content) : 0;

    put_header(f, &(struct filecopy_header){.namelen = (uint32_t)strlen(name) + 1,
                                            .mode = mode,
                                            .filelen = n,
                                            .atime = 11,
                                            .atime_nsec = 12,
                                            .mtime = 1000000013,
                                            .mtime_nsec = 999999999});
    put(f, name, strlen(name) + 1);
    put(f, content ? content : "", n);
}

static void put_end(struct fixture *f)
{
    put_header(f, &(struct filecopy_header){0});
}

static int memory_file(const void *data, size_t n)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write_full(fd, data, n), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void read_answer(struct fixture *f, int fd)
{
    unsigned char raw[20100];
    ssize_t n = pread(fd, raw, sizeof(raw), 0);
    uint32_t len;

    f->answer_size = (size_t)n;
    f->name[0] = 0;
    assert_true(n == 16 || n > 20);
    memcpy(&f->told, raw, 4);
    memcpy(&f->crc, raw + 8, 4);
    assert_memory_equal(raw + 4, "\0\0\0\0", 4);
    assert_memory_equal(raw + 12, "\0\0\0\0", 4);
    if (n == 16)
        return;
    memcpy(&len, raw + 16, 4);
    assert_int_equal(len, n - 20);
    memcpy(f->name, raw + 20, len);
    f->name[len] = 0;
}

/* Gives the first n bytes of the stream to the receiver. */
static int feed(struct fixture *f, size_t n)
{
    int in = memory_file(buf_data(&f->stream), n), out = memory_file("", 0),
        dir = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool all_names = f->r.all_names;

    assert_true(dir >= 0);
    memset(&f->r, 0, sizeof(f->r));
    f->r.in = in;
    f->r.out = out;
    f->r.dir = dir;
    f->r.all_names = all_names;
    f->error = receive(&f->r);
    read_answer(f, out);
    assert_int_equal(f->told, f->error);
    f->taken = lseek(in, 0, SEEK_CUR);
    close(in);
    close(out);
    close(dir);
    return f->error;
}

static int feed_all(struct fixture *f)
{
    return feed(f, buf_len(&f->stream));
}

static void clear_stream(struct fixture *f)
{
    buf_consume(&f->stream, buf_len(&f->stream));
}

/* One file and the end. */
static int feed_file(struct fixture *f, const char *name, const char *content)
{
    clear_stream(f);
    put_entry(f, name, S_IFREG | 0644, content);
    put_end(f);
    return feed_all(f);
}

static int feed_link(struct fixture *f, const char *name, const char *target)
{
    clear_stream(f);
    put_entry(f, name, S_IFLNK | 0777, target);
    put_end(f);
    return feed_all(f);
}

static bool look(struct fixture *f, const char *name, struct stat *ret)
{
    char path[PATH_SIZE];
    struct stat st;

    assert_int_equal(format(path, sizeof(path), "%s/%s", f->dir, name), 0);
    return lstat(path, ret ? ret : &st) == 0;
}

static void assert_content(struct fixture *f, const char *name, const char *expected)
{
    _cleanup_(freep) char *text = NULL, *path = format_new("%s/%s", f->dir, name);
    size_t n;

    assert_int_equal(file_read(path, 1 << 20, &text, &n), 0);
    assert_string_equal(text, expected);
}

static void make_dir(struct fixture *f, const char *name)
{
    _cleanup_(freep) char *path = format_new("%s/%s", f->dir, name);

    assert_int_equal(mkdir(path, 0700), 0);
}

static bool is_empty(struct fixture *f)
{
    return rmdir(f->dir) == 0 && mkdir(f->dir, 0700) == 0;
}

/* ---- The wire ---- */

static const unsigned char example[] = {
    0x02, 0, 0, 0, 0xa4, 0x81, 0, 0, 3, 0,   0, 0,   0,   0,    0, 0, 0, 0, 0, 0, 0, 0, 0,
    0,    0, 0, 0, 0,    0,    0, 0, 0, 'a', 0, 'h', 'i', '\n', 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0,    0, 0, 0, 0,    0,    0, 0, 0, 0,   0, 0,   0,   0,    0, 0, 0, 0, 0, 0, 0, 0, 0};

static void the_specified_example_has_its_specified_answer(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sizeof(example), 32 + 2 + 3 + 32);
    put(f, example, sizeof(example));
    assert_int_equal(feed_all(f), 0);
    assert_int_equal(f->answer_size, 21);
    assert_int_equal(f->crc, 0x8869cb42);
    assert_string_equal(f->name, "a");
    assert_content(f, "a", "hi\n");
}

static void a_stream_cut_anywhere_is_told_and_shows_nothing_half_written(void **state)
{
    struct fixture *f = *state;

    put(f, example, sizeof(example));
    for (int wrapped = 0; wrapped < 2; wrapped++) {
        no_tmpfile = wrapped;
        for (size_t n = 0; n < sizeof(example); n++) {
            bool inside = n >= 32 && n < 37;

            assert_int_equal(feed(f, n), inside ? FILECOPY_E_CUT : EREMOTEIO);
            assert_int_equal(look(f, "a", NULL), n >= 37);
            assert_string_equal(f->name, n >= 34 ? "a" : "");
            test_rmdir(f->dir);
            f->dir = test_mkdir();
        }
    }
}

static void the_answers_crc_is_of_what_was_read(void **state)
{
    struct fixture *f = *state;

    put_entry(f, "x", S_IFREG | 0600, "content");
    put_entry(f, "x", S_IFREG | 0600, "again");
    put_entry(f, "y", S_IFREG | 0600, "never read");
    put_end(f);
    assert_int_equal(feed_all(f), EEXIST);
    assert_int_equal(f->taken, 32 + 2 + 7 + 32 + 2);
    assert_int_equal(f->crc, filecopy_crc(0, buf_data(&f->stream), (size_t)f->taken));
    assert_content(f, "x", "content");
    assert_false(look(f, "y", NULL));
}

static void no_entry_at_all_is_fine(void **state)
{
    struct fixture *f = *state;

    put_end(f);
    assert_int_equal(feed_all(f), 0);
    assert_int_equal(f->answer_size, 16);
    assert_true(is_empty(f));
}

static void what_follows_the_end_mark_is_not_read(void **state)
{
    struct fixture *f = *state;

    put_end(f);
    put_entry(f, "late", S_IFREG | 0600, "x");
    assert_int_equal(feed_all(f), 0);
    assert_int_equal(f->taken, 32);
    assert_true(is_empty(f));
}

/* ---- Names ---- */

static void the_shortest_name_has_one_byte(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(feed_file(f, "", "x"), EILSEQ);
    assert_int_equal(feed_file(f, "n", "x"), 0);
}

/* 64 components of 255 bytes are 16383 in all. */
static void make_deep_name(struct fixture *f, char *name, int *fds, bool make)
{
    fds[0] = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < 64; i++) {
        memset(name + i * 256, 'n', 255);
        name[i * 256 + 255] = i < 63 ? '/' : 0;
        if (make && i < 63) {
            char part[256];

            memcpy(part, name + i * 256, 255);
            part[255] = 0;
            assert_int_equal(mkdirat(fds[i], part, 0700), 0);
            fds[i + 1] = openat(fds[i], part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            assert_true(fds[i + 1] >= 0);
        }
    }
}

static void remove_deep_name(const char *name, int *fds)
{
    char part[256];

    memcpy(part, name, 255);
    part[255] = 0;
    for (size_t i = 64; i-- > 0;) {
        (void)unlinkat(fds[i], part, i < 63 ? AT_REMOVEDIR : 0);
        close(fds[i]);
    }
}

static void the_longest_name_has_16383_bytes(void **state)
{
    struct fixture *f = *state;
    static char name[16384 + 2];
    int fds[64];

    make_deep_name(f, name, fds, true);
    assert_int_equal(strlen(name), 16383);
    assert_int_equal(feed_file(f, name, "deep"), 0);
    assert_int_equal(faccessat(fds[63], name + 63 * 256, F_OK, 0), 0);
    name[16383] = 'x';
    assert_int_equal(feed_file(f, name, "deep"), ENAMETOOLONG);
    assert_int_equal(f->taken, 32);
    name[16383] = 0;
    remove_deep_name(name, fds);
}

static void lengths_far_over_the_limit_are_refused_before_a_byte_of_the_name(void **state)
{
    static const uint32_t lengths[] = {16385, 65536, 0x7fffffff, 0x80000000, 0xffffffff};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        clear_stream(f);
        put_header(f, &(struct filecopy_header){.namelen = lengths[i], .mode = S_IFREG | 0600});
        put(f, "name", 5);
        assert_int_equal(feed_all(f), ENAMETOOLONG);
        assert_int_equal(f->taken, 32);
    }
}

static void a_component_has_at_most_255_bytes(void **state)
{
    struct fixture *f = *state;
    char name[300] = "";

    memset(name, 'c', 255);
    assert_int_equal(feed_file(f, name, "x"), 0);
    memset(name, 'd', 256);
    assert_int_equal(feed_file(f, name, "x"), ENAMETOOLONG);
    name[256] = '/';
    name[257] = 'e';
    assert_int_equal(feed_file(f, name, "x"), ENAMETOOLONG);
    assert_int_equal(strlen(f->name), 256);
}

static void a_name_ends_at_its_only_nul(void **state)
{
    struct fixture *f = *state;

    put_header(f, &(struct filecopy_header){.namelen = 4, .mode = S_IFREG | 0600});
    put(f, "a\0b", 4);
    assert_int_equal(feed_all(f), EILSEQ);
    clear_stream(f);
    put_header(f, &(struct filecopy_header){.namelen = 3, .mode = S_IFREG | 0600});
    put(f, "abc", 3);
    assert_int_equal(feed_all(f), EILSEQ);
    clear_stream(f);
    put_header(f, &(struct filecopy_header){.namelen = 1, .mode = S_IFREG | 0600});
    put(f, "a", 1);
    assert_int_equal(feed_all(f), EILSEQ);
    assert_true(is_empty(f));
}

static void names_that_lead_out_are_refused(void **state)
{
    static const char *const names[] = {"../x", "/tmp/x", "a/../../x", "./x", "a//x", "x/", ".."};
    struct fixture *f = *state;

    make_dir(f, "a");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(feed_file(f, names[i], "x"), EILSEQ);
        assert_string_equal(f->name, names[i]);
    }
}

static void odd_bytes_need_allow_all_names(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(feed_file(f, "a\tb", "x"), EILSEQ);
    f->r.all_names = true;
    assert_int_equal(feed_file(f, "a\tb", "x"), 0);
    assert_int_equal(feed_file(f, "\xff", "x"), 0);
    assert_int_equal(feed_file(f, "../x", "x"), EILSEQ);
}

static void a_link_on_the_way_is_not_followed(void **state)
{
    struct fixture *f = *state;
    _cleanup_(freep) char *to = format_new("%s/to", f->dir);

    make_dir(f, "real");
    assert_int_equal(symlink("real", to), 0);
    assert_int_equal(feed_file(f, "to/x", "x"), ENOTDIR);
    assert_string_equal(f->name, "to");
    make_dir(f, "d");
    assert_int_equal(feed_link(f, "d/l", "sub"), 0);
    assert_int_equal(feed_file(f, "d/l/x/y", "x"), ENOTDIR);
    assert_string_equal(f->name, "l");
    clear_stream(f);
    put_entry(f, "to", S_IFDIR | 0755, NULL);
    assert_int_equal(feed_all(f), ENOTDIR);
}

/* Out of the directory that is received into. The file under way goes along, and no other. */
static void a_folder_that_is_moved_meanwhile_is_not_followed(void **state)
{
    struct fixture *f = *state;
    _cleanup_(freep) char *from = format_new("%s/in/a/b", f->dir),
                          *to = format_new("%s/away", f->dir), *in = format_new("%s/in", f->dir);
    char *top = f->dir;

    make_dir(f, "in");
    put_entry(f, "a", S_IFDIR | 0700, NULL);
    put_entry(f, "a/b", S_IFDIR | 0700, NULL);
    put_entry(f, "a/b/one", S_IFREG | 0600, "1");
    put_entry(f, "a/b/two", S_IFREG | 0600, "2");
    put_end(f);
    moved_from = from;
    moved_to = to;
    f->dir = in;
    assert_int_equal(feed_all(f), ENOTDIR);
    f->dir = top;
    assert_string_equal(f->name, "b");
    assert_null(moved_from);
    assert_true(look(f, "away/one", NULL));
    assert_false(look(f, "away/two", NULL));
    assert_false(look(f, "two", NULL));
}

static void a_missing_parent_and_a_file_as_parent_are_named(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(feed_file(f, "no/x", "x"), ENOENT);
    assert_string_equal(f->name, "no");
    assert_int_equal(feed_file(f, "file", "x"), 0);
    assert_int_equal(feed_file(f, "file/x", "x"), ENOTDIR);
    assert_string_equal(f->name, "file");
    clear_stream(f);
    put_entry(f, "file", S_IFDIR | 0755, NULL);
    assert_int_equal(feed_all(f), ENOTDIR);
}

/* ---- Files ---- */

static void file_has_mode_and_times_but_never_setuid(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    put_entry(f, "x", S_IFREG | 06751, "text");
    put_end(f);
    assert_int_equal(feed_all(f), 0);
    assert_true(look(f, "x", &st));
    assert_int_equal(st.st_mode, S_IFREG | 0751);
    assert_int_equal(st.st_mtim.tv_sec, 1000000013);
    assert_int_equal(st.st_mtim.tv_nsec, 999999999);
    assert_int_equal(st.st_atim.tv_sec, 11);
    assert_int_equal(st.st_nlink, 1);
}

static void file_sizes_around_the_buffer_arrive(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        _cleanup_(freep) char *content = malloc(sizes[i] + 1);
        char name[16];

        memset(content, 'a' + (int)i, sizes[i]);
        content[sizes[i]] = 0;
        snprintf(name, sizeof(name), "f%zu", i);
        assert_int_equal(feed_file(f, name, content), 0);
        assert_content(f, name, content);
    }
}

static void a_file_that_claims_more_than_comes_is_not_there(void **state)
{
    static const uint64_t lengths[] = {4, 1 << 20, INT64_MAX, UINT64_MAX};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        clear_stream(f);
        put_header(f, &(struct filecopy_header){
                          .namelen = 2, .mode = S_IFREG | 0600, .filelen = lengths[i]});
        put(f, "x\0abc", 5);
        assert_int_equal(feed_all(f), FILECOPY_E_CUT);
        assert_string_equal(f->name, "x");
        assert_true(is_empty(f));
    }
}

static void nothing_is_overwritten(void **state)
{
    struct fixture *f = *state;
    _cleanup_(freep) char *dangling = format_new("%s/dangling", f->dir);

    assert_int_equal(symlink("nowhere", dangling), 0);
    make_dir(f, "dir");
    for (int wrapped = 0; wrapped < 2; wrapped++) {
        no_tmpfile = wrapped;
        if (!wrapped)
            assert_int_equal(feed_file(f, "x", "first"), 0);
        assert_int_equal(feed_file(f, "x", "second"), EEXIST);
        assert_string_equal(f->name, "x");
        assert_content(f, "x", "first");
        assert_int_equal(feed_file(f, "dangling", "x"), EEXIST);
        assert_false(look(f, "nowhere", NULL));
        assert_int_equal(feed_file(f, "dir", "x"), EEXIST);
        assert_int_equal(feed_link(f, "dir/l", "a"), wrapped ? EEXIST : 0);
    }
}

static void without_nameless_files_the_name_comes_exclusively(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    no_tmpfile = true;
    put_entry(f, "x", S_IFREG | 0640, "text");
    put_end(f);
    assert_int_equal(feed_all(f), 0);
    assert_content(f, "x", "text");
    assert_true(look(f, "x", &st));
    assert_int_equal(st.st_mode, S_IFREG | 0640);
    assert_int_equal(st.st_mtim.tv_sec, 1000000013);
}

static void nanoseconds_are_below_a_second(void **state)
{
    struct fixture *f = *state;
    struct filecopy_header h = {
        .namelen = 2, .mode = S_IFREG | 0600, .atime_nsec = 999999999, .mtime_nsec = 999999999};

    for (int i = 0; i < 3; i++) {
        clear_stream(f);
        h.atime_nsec = i == 1 ? 1000000000 : 999999999;
        h.mtime_nsec = i == 2 ? 1000000000 : 999999999;
        put_header(f, &h);
        put(f, (const char[]){(char)('a' + i), 0}, 2);
        put_end(f);
        assert_int_equal(feed_all(f), i ? EINVAL : 0);
    }
    assert_true(look(f, "a", NULL));
    assert_false(look(f, "b", NULL));
    assert_false(look(f, "c", NULL));
}

static void other_types_are_refused(void **state)
{
    static const uint32_t modes[] = {
        S_IFIFO | 0600, S_IFSOCK | 0600, S_IFCHR | 0600, S_IFBLK | 0600, 0600, 0xffffffff};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        clear_stream(f);
        put_entry(f, "x", modes[i], NULL);
        put_end(f);
        assert_int_equal(feed_all(f), EINVAL);
        assert_true(is_empty(f));
    }
}

/* ---- Directories ---- */

static void directory_gets_mode_and_times_behind_its_content(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    put_entry(f, "d", S_IFDIR | 07555, NULL);
    assert_int_equal(feed_all(f), EREMOTEIO);
    assert_true(look(f, "d", &st));
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
    clear_stream(f);
    put_entry(f, "e", S_IFDIR | 07555, NULL);
    put_entry(f, "e/x", S_IFREG | 0600, "inside");
    put_entry(f, "e", S_IFDIR | 07555, NULL);
    put_end(f);
    assert_int_equal(feed_all(f), 0);
    assert_content(f, "e/x", "inside");
    assert_true(look(f, "e", &st));
    assert_int_equal(st.st_mode, S_IFDIR | 01555);
    assert_int_equal(st.st_mtim.tv_sec, 1000000013);
    {
        _cleanup_(freep) char *path = format_new("%s/e", f->dir);

        chmod(path, 0700); /* so that it can be removed */
    }
}

static void an_existing_directory_is_gone_into(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    make_dir(f, "d");
    put_entry(f, "d", S_IFDIR | 0750, NULL);
    put_entry(f, "d/x", S_IFREG | 0600, "inside");
    put_entry(f, "d", S_IFDIR | 0750, NULL);
    put_end(f);
    assert_int_equal(feed_all(f), 0);
    assert_content(f, "d/x", "inside");
    assert_true(look(f, "d", &st));
    assert_int_equal(st.st_mode, S_IFDIR | 0750);
}

/* ---- Links ---- */

static void a_link_that_stays_inside_is_made(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    char path[PATH_SIZE], target[64];
    ssize_t n;

    make_dir(f, "d");
    assert_int_equal(feed_link(f, "d/l", "some/../../file"), ENOLINK);
    assert_int_equal(feed_link(f, "d/l", "some//./file"), 0);
    assert_true(look(f, "d/l", &st));
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(st.st_mtim.tv_sec, 1000000013);
    snprintf(path, sizeof(path), "%s/d/l", f->dir);
    n = readlink(path, target, sizeof(target));
    assert_int_equal(n, 12);
    assert_memory_equal(target, "some//./file", 12);
}

static void a_refused_link_is_answered_with_its_target(void **state)
{
    struct fixture *f = *state;

    make_dir(f, "d");
    assert_int_equal(feed_link(f, "d/l", "/etc/passwd"), ENOLINK);
    assert_string_equal(f->name, "/etc/passwd");
    assert_int_equal(feed_link(f, "top", "d"), ENOLINK);
    assert_string_equal(f->name, "d");
    assert_int_equal(feed_link(f, "d/l", ""), ENOENT);
    assert_string_equal(f->name, "d/l");
    assert_false(look(f, "d/l", NULL));
    assert_false(look(f, "top", NULL));
}

static void target_lengths_at_their_limits(void **state)
{
    struct fixture *f = *state;
    static char target[16390];

    make_dir(f, "d");
    target[0] = 'x';
    assert_int_equal(feed_link(f, "d/1", target), 0);
    memset(target, 'x', 4095);
    assert_int_equal(feed_link(f, "d/4095", target), 0);
    memset(target, 'x', 4096); /* Linux's own limit */
    assert_int_equal(feed_link(f, "d/4096", target), ENAMETOOLONG);
    memset(target, 'x', 16383);
    assert_int_equal(feed_link(f, "d/16383", target), ENAMETOOLONG);
    assert_int_equal(f->taken, 32 + 8 + 16383);
    target[16383] = 'x'; /* refused before it is read */
    assert_int_equal(feed_link(f, "d/16384", target), ENAMETOOLONG);
    assert_int_equal(f->taken, 32 + 8);
    clear_stream(f);
    put_header(
        f, &(struct filecopy_header){.namelen = 4, .mode = S_IFLNK | 0777, .filelen = UINT64_MAX});
    put(f, "d/z", 4);
    assert_int_equal(feed_all(f), ENAMETOOLONG);
}

static void targets_have_safe_bytes_and_no_nul(void **state)
{
    struct fixture *f = *state;

    make_dir(f, "d");
    put_header(f, &(struct filecopy_header){.namelen = 4, .mode = S_IFLNK | 0777, .filelen = 3});
    put(f, "d/l\0a\0b", 7);
    assert_int_equal(feed_all(f), EILSEQ);
    assert_int_equal(feed_link(f, "d/l", "a\033b"), EILSEQ);
    f->r.all_names = true;
    assert_int_equal(feed_link(f, "d/l", "a\033b"), 0);
}

static void a_cut_target_makes_no_link(void **state)
{
    struct fixture *f = *state;

    make_dir(f, "d");
    put_header(f, &(struct filecopy_header){.namelen = 4, .mode = S_IFLNK | 0777, .filelen = 3});
    put(f, "d/l\0ab", 6);
    assert_int_equal(feed_all(f), FILECOPY_E_CUT);
    assert_false(look(f, "d/l", NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_specified_example_has_its_specified_answer),
        TEST(a_stream_cut_anywhere_is_told_and_shows_nothing_half_written),
        TEST(the_answers_crc_is_of_what_was_read),
        TEST(no_entry_at_all_is_fine),
        TEST(what_follows_the_end_mark_is_not_read),
        TEST(the_shortest_name_has_one_byte),
        TEST(the_longest_name_has_16383_bytes),
        TEST(lengths_far_over_the_limit_are_refused_before_a_byte_of_the_name),
        TEST(a_component_has_at_most_255_bytes),
        TEST(a_name_ends_at_its_only_nul),
        TEST(names_that_lead_out_are_refused),
        TEST(odd_bytes_need_allow_all_names),
        TEST(a_link_on_the_way_is_not_followed),
        TEST(a_folder_that_is_moved_meanwhile_is_not_followed),
        TEST(a_missing_parent_and_a_file_as_parent_are_named),
        TEST(file_has_mode_and_times_but_never_setuid),
        TEST(file_sizes_around_the_buffer_arrive),
        TEST(a_file_that_claims_more_than_comes_is_not_there),
        TEST(nothing_is_overwritten),
        TEST(without_nameless_files_the_name_comes_exclusively),
        TEST(nanoseconds_are_below_a_second),
        TEST(other_types_are_refused),
        TEST(directory_gets_mode_and_times_behind_its_content),
        TEST(an_existing_directory_is_gone_into),
        TEST(a_link_that_stays_inside_is_made),
        TEST(a_refused_link_is_answered_with_its_target),
        TEST(target_lengths_at_their_limits),
        TEST(targets_have_safe_bytes_and_no_nul),
        TEST(a_cut_target_makes_no_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
