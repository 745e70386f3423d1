/*
 * What a login depends on, as one number: see login.h. Files that a profile reads besides are not
 * known; a session ends when it has not been used for a while.
 */
#include "libqrexec/service/login.h"

#include <dirent.h>
#include <sys/stat.h>

static const char *const of_the_system[] = {
    "/etc/passwd",      "/etc/group",          "/etc/environment",
    "/etc/profile",     "/etc/pam.d/qrexec",   "/etc/security/pam_env.conf",
    "/etc/profile.d/",  "/etc/default/locale", "/etc/security/limits.conf",
    "/etc/locale.conf",
};
static const char *const of_the_user[] = {
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".pam_environment",
};

/* FNV-1a */
static void mix(uint64_t *h, const void *data, size_t n)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < n; i++)
        *h = (*h ^ p[i]) * 0x100000001b3;
}

static void mix_file(uint64_t *h, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        st = (struct stat){0};
    mix(h, &st.st_dev, sizeof(st.st_dev));
    mix(h, &st.st_ino, sizeof(st.st_ino));
    mix(h, &st.st_size, sizeof(st.st_size));
    mix(h, &st.st_mode, sizeof(st.st_mode));
    mix(h, &st.st_mtim, sizeof(st.st_mtim));
    mix(h, &st.st_ctim, sizeof(st.st_ctim));
}

static void mix_folder(uint64_t *h, const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    char path[PATH_SIZE];

    while (d && (e = readdir(d)))
        if (*e->d_name != '.' && !format(path, sizeof(path), "%s%s", dir, e->d_name))
            mix_file(h, path);
    if (d)
        closedir(d);
}

uint64_t login_stamp(const char *home)
{
    uint64_t h = 0xcbf29ce484222325;
    char path[PATH_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(of_the_system); i++) {
        mix_file(&h, of_the_system[i]);
        if (of_the_system[i][strlen(of_the_system[i]) - 1] == '/')
            mix_folder(&h, of_the_system[i]);
    }
    for (size_t i = 0; home && i < ARRAY_SIZE(of_the_user); i++)
        if (!format(path, sizeof(path), "%s/%s", home, of_the_user[i]))
            mix_file(&h, path);
    return h;
}
