/* See open-calls.h. */
#include "qrexec-agent/open-calls.h"

#include "libqrexec/base/util.h"

#include <stdio.h>

/*
 * "Num RefCount Protocol Flags Type St Inode Path": a connection that the agent has accepted bears
 * the socket's path, as the socket itself does, and is in state 03; those that wait to be accepted
 * are not there yet.
 */
static bool is_connection(char *line, const char *path)
{
    unsigned state;
    int at = 0;

    line[strcspn(line, "\n")] = 0;
    return sscanf(line, "%*s %*s %*s %*s %*s %x %*s %n", &state, &at) == 1 && at && state == 3 &&
           str_equal(line + at, path);
}

size_t open_calls(const char *list, const char *agent_socket)
{
    _cleanup_(freep) char *line = NULL;
    FILE *f = fopen(list, "re");
    size_t n = 0, size = 0;

    if (!f)
        return 0;
    while (getline(&line, &size, f) > 0)
        n += is_connection(line, agent_socket);
    fclose(f);
    return n;
}
