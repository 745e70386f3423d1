/*
 * Folders of files: a line "=PATH" begins a file, the lines that follow are what is in it. Names of
 * all kinds, includes that go in circles, the same name in both folders, files beside the policy.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define FILES_MOST 24

/* The end of the line at s. */
static char *line_end(char *s)
{
    char *end = strchr(s, '\n');

    return end ? end : s + strlen(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_file files[FILES_MOST + 2] = {{"run.d/.keep", NULL, 0}, {"policy.d/.keep", 0, 0}};
    char *text = calloc(1, size + 1), *next = text;
    size_t n = 2;

    if (!text)
        return 0;
    memcpy(text, data, size);
    while (next && *next && n < FILES_MOST) {
        char *path = next + (*next == '='), *end = line_end(path), *content = end + (*end == '\n');

        *end = 0;
        next = *content == '=' ? content : strstr(content, "\n=");
        if (next && *next == '\n')
            *next++ = 0;
        files[n++] = (struct policy_file){path, content,
                                          next == content ? 0
                                          : next          ? (size_t)(next - content) - 1
                                                          : strlen(content)};
    }
    fuzz_policy(files, n);
    free(text);
    return 0;
}
