/*
 * A fuzz target's main() without a fuzzer: each file of its corpus as it is, cut at each place, and
 * with bytes changed here and there, always the same way. FUZZ_CORPUS is the folder.
 */
#include "libqrexec/base/io.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>

#define FILE_MOST 8192

static unsigned long runs;

/* In a block of its own size, so that a byte past its end is noticed. */
static void feed(const char *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);

    if (!copy)
        fuzz_fail("no memory");
    memcpy(copy, data, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
    runs++;
}

static void replay(char *data, size_t n)
{
    static const char bytes[] = {0, '\n', ' ', '@', '=', '+', '\xc3', '\xff', '!', ':', '\r', '*'};
    size_t step = n / 64 + 1;

    feed(data, n);
    for (size_t i = 0; i < n; i += step) {
        char was = data[i];

        feed(data, i);
        feed(data + i, n - i);
        data[i] = bytes[i % sizeof(bytes)];
        feed(data, n);
        data[i] = was;
    }
}

int main(int argc, char **argv)
{
    const char *srcdir = getenv("srcdir");
    _cleanup_(freep) char *dir = format_new("%s/" FUZZ_CORPUS, srcdir ? srcdir : ".");
    DIR *d = opendir(argc > 1 ? argv[1] : dir);
    unsigned long files = 0;
    struct dirent *e;

    while (d && (e = readdir(d))) {
        _cleanup_(freep) char *path = format_new("%s/%s", argc > 1 ? argv[1] : dir, e->d_name);
        _cleanup_(freep) char *data = NULL;
        size_t n = 0;

        if (e->d_name[0] == '.' || file_read(path, FILE_MOST, &data, &n))
            continue;
        files++;
        replay(data, n);
    }
    if (d)
        closedir(d);
    printf("%sok - %s: %lu files, %lu inputs\n", files ? "" : "not ", FUZZ_CORPUS, files, runs);
    return files ? 0 : 1;
}
