/*
 * What is taken as a URL. Two rules: what a person types (anything with a scheme and "://"), and
 * the stricter one of the service, which opens what another domain sent.
 */
#ifndef QREXEC_RPC_URL_H
#define QREXEC_RPC_URL_H

#include "libqrexec/base/util.h"

#define URL_MAX 65536 /* bytes */

/* [A-Za-z][A-Za-z0-9+]*:// and something: the caller's rule. */
bool url_looks_like_one(const char *word);

/*
 * http://, https:// or ftp:// in lower case, then no blank, no control character, at most URL_MAX
 * bytes in all. The text is n bytes, a NUL among them refuses it.
 */
bool url_is_safe(const char *text, size_t n);

#endif
